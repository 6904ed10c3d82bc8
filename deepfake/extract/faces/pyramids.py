"""Image pyramids: all scales of a picture on one canvas, so that P-net runs once a frame.

Canvas sizes are rounded, so that the network is compiled for a few shapes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from deepfake.extract.faces.area_resize import FrameView, Means, Window, bins, means_of
from deepfake.types import Pixels

__all__ = [
    "CELL_PX",
    "PYRAMID_STEP",
    "STRIDE_PX",
    "Canvas",
    "PyramidLevel",
    "draw_canvas",
    "scales_of",
]

CELL_PX = 12
"""P-net's receptive field."""

STRIDE_PX = 2
"""P-net's step."""

PYRAMID_STEP = 0.709
"""About 1 / sqrt(2): each level has half the area. Source: MTCNN's authors' code."""

_ROUND_TO_PX = 16
"""Canvas sides are rounded up to a multiple of this, so that few shapes occur."""

_GAP_PX = 2
"""Gap between levels; cells that cross an edge are ignored."""


@dataclass(frozen=True, slots=True)
class PyramidLevel:
    """One scale of the picture on the canvas.

    Attributes:
        left: Position on the canvas, pixels, even.
        top: Position on the canvas, pixels, even.
        width: Pixels.
        height: Pixels.
        scale: Pixels of the level per pixel of the frame.
        origin_xy: Left and top in the frame of what it shows, pixels.
    """

    left: int
    top: int
    width: int
    height: int
    scale: float
    origin_xy: tuple[int, int]

    @property
    def cells(self) -> tuple[slice, slice]:
        """Rows and columns of P-net's output that lie fully inside this level."""
        top, left = self.top // STRIDE_PX, self.left // STRIDE_PX
        rows = (self.height - CELL_PX) // STRIDE_PX + 1
        columns = (self.width - CELL_PX) // STRIDE_PX + 1
        return slice(top, top + rows), slice(left, left + columns)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A canvas with all levels of a pyramid.

    Attributes:
        pixels: Shape (H, W, 3), uint8, RGB; black between the levels.
        levels: The levels.
    """

    pixels: Pixels
    levels: tuple[PyramidLevel, ...]


def scales_of(smallest_px: float, *, shorter_px: float) -> list[float]:
    """Return the scales at which faces from `smallest_px` to the whole picture fit P-net's cell."""
    scales = []
    scale = CELL_PX / smallest_px
    while shorter_px * scale >= CELL_PX:
        scales.append(scale)
        scale *= PYRAMID_STEP
    return scales


def draw_canvas(view: FrameView, *, window: Window, scales: Sequence[float]) -> Canvas:
    """Draw a window of the frame at several scales on one canvas.

    Args:
        view: The frame.
        window: Left, top, right, bottom in the frame, pixels, inside it.
        scales: Descending; at each the window is at least one cell wide.
    """
    size = (window[2] - window[0], window[3] - window[1])
    is_whole = window == (0, 0, view.width, view.height)
    # Cached for whole frames, which all have the same plan; a window around a face rarely recurs.
    plan = _plan if is_whole else _plan.__wrapped__
    levels, means, shape = plan(size, tuple(scales), stride=view.stride, step=view.step)
    pixels = view.averages(means, window=window).reshape(*shape, 3)
    origin = (window[0], window[1])
    return Canvas(pixels, tuple(replace(level, origin_xy=origin) for level in levels))


@lru_cache(maxsize=4)
def _plan(
    size: tuple[int, int], scales: tuple[float, ...], *, stride: int, step: int
) -> tuple[tuple[PyramidLevel, ...], Means, tuple[int, int]]:
    """Return the levels, the rectangle averaged by each canvas pixel, and the shape (H, W).

    Args:
        size: Width and height of the window, pixels of the frame.
        scales: Scales of the levels.
        stride: Items of a row of the view's integral image.
        step: Pixels of the frame per pixel of the integral image.
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
        levels.append(PyramidLevel(left, top, *drawn, scale, (0, 0)))
    whole = Means(corners.reshape(4, -1), shares.reshape(-1, 1))
    return tuple(levels), whole, (canvas_height, canvas_width)


def _drawn(length: float) -> int:
    # As in facenet-pytorch, a level is up to a pixel larger than its scale says.
    return int(length + 1)


def _rounded(length: float) -> int:
    return -(-_drawn(length) // _ROUND_TO_PX) * _ROUND_TO_PX


@lru_cache(maxsize=64)
def _layout(
    largest: tuple[int, int], num_levels: int
) -> tuple[tuple[tuple[int, int], ...], tuple[int, int]]:
    """Return left and top of each level, and the size of the canvas.

    Levels are packed into rows, the largest first; each goes into the first row with room.
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
        # Rounded up to even, so that the next level starts on P-net's grid.
        yield -(-int(width + 1) // 2) * 2, -(-int(height + 1) // 2) * 2
