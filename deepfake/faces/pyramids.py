"""All sizes of a picture side by side on one canvas, so that P-net looks once.

A network compiled for one shape is half as dear again as one that takes any, and a few rounded
shapes serve all media.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepfake.faces.views import FrameView, Window

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
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    largest = (_rounded(width * scales[0]), _rounded(height * scales[0]))
    slots, (canvas_width, canvas_height) = _layout(largest, len(scales))
    canvas = np.zeros((canvas_height, canvas_width, 3), dtype=np.uint8)
    levels = []
    for scale, slot in zip(scales, slots, strict=True):
        size = (_drawn(width * scale), _drawn(height * scale))
        x, y = slot
        shrunk = view.shrunk(window, width=size[0], height=size[1])
        canvas[y : y + size[1], x : x + size[0]] = shrunk
        levels.append(Level(x, y, *size, scale, (left, top)))
    return Canvas(canvas, tuple(levels))


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
