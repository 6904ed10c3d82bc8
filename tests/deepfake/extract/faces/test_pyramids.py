"""Pyramid canvases: levels are complete, on P-net's grid, and do not overlap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake.extract.faces.area_resize import FrameView, Window
from deepfake.extract.faces.pyramids import CELL_PX, STRIDE_PX, draw_canvas, scales_of


@settings(max_examples=60, deadline=None)
@given(width=st.integers(20, 500), height=st.integers(20, 500), smallest_px=st.floats(20, 120))
def test_levels_lie_apart_and_on_the_grid(width: int, height: int, smallest_px: float) -> None:
    frame = np.full((height, width, 3), 200, dtype=np.uint8)
    scales = scales_of(smallest_px, shorter_px=min(width, height))
    if not scales:
        assert min(width, height) < smallest_px
        return
    canvas = draw_canvas(FrameView(frame), window=(0, 0, width, height), scales=scales)
    taken = np.zeros(canvas.pixels.shape[:2], dtype=int)
    for level, scale in zip(canvas.levels, scales, strict=True):
        assert level.left % STRIDE_PX == level.top % STRIDE_PX == 0
        assert (level.width, level.height) == (int(width * scale + 1), int(height * scale + 1))
        taken[level.top : level.top + level.height, level.left : level.left + level.width] += 1
        rows, columns = level.cells
        assert (rows.stop - 1) * STRIDE_PX + CELL_PX <= level.top + level.height
        assert (columns.stop - 1) * STRIDE_PX + CELL_PX <= level.left + level.width
        assert rows.stop > rows.start
        assert columns.stop > columns.start
    assert taken.max() == 1
    assert (canvas.pixels[taken == 1] == 200).all()
    assert (canvas.pixels[taken == 0] == 0).all()


@pytest.mark.parametrize("window", [(0, 0, 300, 200), (37, 21, 138, 122)])
def test_levels_are_the_picture_shrunk(window: Window) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    left, top, right, bottom = window
    canvas = draw_canvas(FrameView(frame), window=window, scales=[0.5, 0.25])
    for level in canvas.levels:
        drawn = canvas.pixels[
            level.top : level.top + level.height, level.left : level.left + level.width
        ]
        planes = torch.from_numpy(frame[top:bottom, left:right].copy()).permute(2, 0, 1)[None]
        pooled = torch.nn.functional.adaptive_avg_pool2d(planes.float(), drawn.shape[:2])
        assert np.abs(drawn - pooled[0].permute(1, 2, 0).numpy()).max() <= 0.51
        assert level.origin_xy == (left, top)


def test_few_shapes_serve_videos_of_one_form() -> None:
    shapes = set()
    for height in (360, 480, 540, 576, 720, 900, 1080):
        frame = np.zeros((height, height * 16 // 9, 3), dtype=np.uint8)
        scales = scales_of(0.08 * height, shorter_px=height)
        window = (0, 0, frame.shape[1], height)
        shapes.add(draw_canvas(FrameView(frame), window=window, scales=scales).pixels.shape)
    assert len(shapes) == 1


def test_scales_end_where_the_picture_is_a_cell() -> None:
    scales = scales_of(20, shorter_px=100)
    assert scales[0] == CELL_PX / 20
    assert scales[-1] * 100 >= CELL_PX > scales[-1] * 0.709 * 100
    assert scales_of(101, shorter_px=100) == []
