"""Shrinking with an integral image, compared with PyTorch's adaptive pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepfake.extract.faces.area_resize import FrameView, Window

FRAME = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)


def pooled(pixels: NDArray[np.uint8], *, width: int, height: int) -> NDArray[np.float32]:
    """Return what facenet-pytorch gives its networks."""
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    shrunk = torch.nn.functional.adaptive_avg_pool2d(planes, (height, width))
    return np.asarray(shrunk[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("side", [1, 12, 24, 97, 200])
def test_a_frame_is_shrunk_as_adaptive_pooling_does(side: int) -> None:
    (ours,) = FrameView(FRAME).crops(np.array([[0, 0, 131, 97]]), side=side)
    assert np.abs(ours - pooled(FRAME, width=side, height=side)).max() <= 0.51


@pytest.mark.parametrize("window", [(0, 0, 30, 40), (101, 50, 131, 97), (40, 40, 41, 41)])
def test_a_part_looks_the_same_in_the_frame_and_in_a_window(window: Window) -> None:
    left, top, right, bottom = window
    expected = pooled(FRAME[top:bottom, left:right], width=24, height=24)
    whole = FrameView(FRAME).crops(np.array([window]), side=24)[0]
    part = FrameView(FRAME).part(window).crops(np.array([window]), side=24)[0]
    assert np.abs(whole - expected).max() <= 0.51
    assert (whole == part).all()


def test_what_lies_outside_of_the_window_is_cut_off() -> None:
    view = FrameView(FRAME).part((20, 20, 60, 60))
    assert (
        view.crops(np.array([[10, 10, 40, 40]]), side=8)
        == view.crops(np.array([[20, 20, 40, 40]]), side=8)
    ).all()


def test_large_frames_are_halved_and_coordinates_stay() -> None:
    large = np.zeros((2160, 2400, 3), dtype=np.uint8)
    large[1000:1100, 1500:1600] = 255
    crops = FrameView(large).crops(np.array([[1500, 1000, 1600, 1100], [0, 0, 99, 99]]), side=10)
    assert crops[0].min() == 255
    assert crops[1].max() == 0


def test_sums_that_overflow_give_true_means() -> None:
    white = np.full((1088, 9000, 3), 255, dtype=np.uint8)  # 255 times 9.8 million is over 2**31
    assert (FrameView(white).crops(np.array([[8900, 1000, 9000, 1088]]), side=5) == 255).all()


def test_a_brightened_view_leaves_the_frame_alone() -> None:
    before = FRAME.copy()
    levels = np.minimum(np.arange(256) * 2, 255).astype(np.uint8)
    bright = FrameView(FRAME).brightened(levels).crops(np.array([[30, 20, 50, 40]]), side=20)
    assert (bright == levels[FRAME[20:40, 30:50]]).all()
    assert (before == FRAME).all()
