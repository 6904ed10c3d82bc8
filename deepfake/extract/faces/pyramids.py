"""All sizes of a picture side by side on one canvas, so that P-net looks once.

A network compiled for one shape is half as dear again as one that takes any, and a few rounded
shapes serve all media.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepfake.extract.faces.area_resize import FrameView, Means, Window, bins, means_of

__all__ = ["CELL_PX", "PYRAMID_STEP", "STRIDE_PX", "Canvas", "Level", "draw_canvas", "scales_of"]

CELL_PX = 12
"""P-net's receptive field."""

STRIDE_PX = 2
"""P-net's step."""

PYRAMID_STEP = 0.709
"""About 1 / sqrt(2): each level has half the area. Source: MTCNN's authors' code."""

_ROUND_TO_PX = 16
"""Canvases are made for sides rounded up to this, so that few shapes serve all media."""

_GAP_PX = 2
"""Between levels; cells that reach over an edge are not looked at."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Level:
    """One size of the picture on the canvas.

    Attributes:
        left: On the canvas, pixels, even.
        top: On the canvas, pixels, even.
        width: Pixels.
        height: Pixels.
        scale: Pixels of the level over pixels of the frame.
        origin_xy: Left and top of what it shows, in the frame, pixels.
    """

    left: int
    top: int
    width: int
    height: int
    scale: float
    origin_xy: tuple[int, int]

    @property
    def cells(self) -> tuple[slice, slice]:
        """Rows and columns of P-net's answer that lie in this level whole."""
        top, left = self.top // STRIDE_PX, self.left // STRIDE_PX
        rows = (self.height - CELL_PX) // STRIDE_PX + 1
        columns = (self.width - CELL_PX) // STRIDE_PX + 1
        return slice(top, top + rows), slice(left, left + columns)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture with all levels on it.

    Attributes:
        pixels: Shape (H, W, 3), uint8, RGB; black between the levels.
        levels: Where they are.
    """

    pixels: Pixels
    levels: tuple[Level, ...]


def scales_of(smallest_px: float, *, shorter_px: float) -> list[float]:
    """Return the scales at which faces from `smallest_px` up to the whole picture fill a cell."""
    scales = []
    scale = CELL_PX / smallest_px
    while shorter_px * scale >= CELL_PX:
        scales.append(scale)
        scale *= PYRAMID_STEP
    return scales


def draw_canvas(view: FrameView, *, window: Window, scales: Sequence[float]) -> Canvas:
    """Draw a window of the frame at several scales.

    Args:
        view: The frame.
        window: Left, top, right, bottom in the frame, pixels, inside it.
        scales: Descending, each at least so large that the window is a cell wide.
    """
    size = (window[2] - window[0], window[3] - window[1])
    is_whole = window == (0, 0, view.width, view.height)
    # All frames of a video are drawn alike; a window around a face seldom comes twice.
    plan = _plan if is_whole else _plan.__wrapped__
    levels, means, shape = plan(size, tuple(scales), stride=view.stride, step=view.step)
    pixels = view.averages(means, window=window).reshape(*shape, 3)
    origin = (window[0], window[1])
    return Canvas(pixels, tuple(replace(level, origin_xy=origin) for level in levels))


@lru_cache(maxsize=4)
def _plan(
    size: tuple[int, int], scales: tuple[float, ...], *, stride: int, step: int
) -> tuple[tuple[Level, ...], Means, tuple[int, int]]:
    """Return the levels, what each pixel of the canvas is the mean of, and its shape (H, W).

    Args:
        size: Width and height of the window, pixels of the frame.
        scales: Of the levels.
        stride: Items of a row of the view's table.
        step: Pixels of the frame for one of the table.
    """
    width, height = size
    slots, (canvas_width, canvas_height) = _layout(
        (_rounded(width * scales[0]), _rounded(height * scales[0])), len(scales)
    )
    corners = np.zeros((4, canvas_height, canvas_width), dtype=np.intp)
    shares = np.zeros((canvas_height, canvas_width), dtype=np.float32)
    ends = np.array([max(width // step, 1)]), np.array([max(height // step, 1)])
    start = np.zeros(1, dtype=np.int64)
    levels = []
    for scale, (left, top) in zip(scales, slots, strict=True):
        drawn = (_drawn(width * scale), _drawn(height * scale))
        grid = (bins(start, end, count) for end, count in zip(ends, drawn, strict=True))
        means = means_of(*grid, stride=stride)
        place = slice(top, top + drawn[1]), slice(left, left + drawn[0])
        corners[:, *place] = means.corners.reshape(4, drawn[1], drawn[0])
        shares[place] = means.shares.reshape(drawn[1], drawn[0])
        levels.append(Level(left, top, *drawn, scale, (0, 0)))
    whole = Means(corners.reshape(4, -1), shares.reshape(-1, 1))
    return tuple(levels), whole, (canvas_height, canvas_width)


def _drawn(length: float) -> int:
    # facenet-pytorch draws a level up to a pixel larger than its scale says, and so do we: its
    # networks' answers are read with that scale.
    return int(length + 1)


def _rounded(length: float) -> int:
    return -(-_drawn(length) // _ROUND_TO_PX) * _ROUND_TO_PX


@lru_cache(maxsize=64)
def _layout(
    largest: tuple[int, int], num_levels: int
) -> tuple[tuple[tuple[int, int], ...], tuple[int, int]]:
    """Return left and top of each level's slot, and the size of the canvas.

    Levels lie in rows, the largest first; each goes to the first row that still has room.
    """
    slots: list[tuple[int, int]] = []
    rows: list[list[int]] = []  # top, height, filled to
    bottom = 0
    for width, height in _slot_sizes(largest, num_levels):
        row = next((r for r in rows if height <= r[1] and r[2] + width <= largest[0]), None)
        if row is None:
            row = [bottom, height, 0]
            rows.append(row)
            bottom += height + _GAP_PX
        slots.append((row[2], row[0]))
        row[2] += width + _GAP_PX
    return tuple(slots), (largest[0], bottom - _GAP_PX)


def _slot_sizes(largest: tuple[int, int], num_levels: int) -> Iterator[tuple[int, int]]:
    yield largest
    width, height = float(largest[0]), float(largest[1])
    for _ in range(num_levels - 1):
        width, height = width * PYRAMID_STEP, height * PYRAMID_STEP
        # Rounded up to even, so that the next slot begins on P-net's grid.
        yield -(-int(width + 1) // 2) * 2, -(-int(height + 1) // 2) * 2
