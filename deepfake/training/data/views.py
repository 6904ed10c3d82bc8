"""Cut the square that the network is shown out of a stored crop that is wider.

Squares keep the resolution that they had in their frame, so that what follows (blending,
augmentation) is done before anything is resized.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import CropConfig, ViewConfig
from deepfake.detectors.inference import resize_square
from deepfake.extract.faces import Square, place_square
from deepfake.training.data.stored_squares import (
    native_face_sizes,
    native_sides,
    stored_squares,
)
from deepfake.types import Face, Pixels

__all__ = ["CropViews", "ShownSquare", "at_native_size"]


_MIN_MATCHED_PX = 16
"""A crop is not made smaller than this where its resolution is matched."""

_ROUNDING = 1e-6
"""Tolerance for rounding errors where shares of a side become pixels."""


@dataclass(frozen=True, slots=True)
class ShownSquare:
    """A square of a stored crop.

    Attributes:
        pixels: Shape (S, S, 3), uint8.
        scale: Its pixels over those of the stored crop.
        left: First column, from the stored crop's edge, in its own pixels.
        top: First row, likewise.
    """

    pixels: Pixels
    scale: float = 1.0
    left: float = 0.0
    top: float = 0.0

    def place(self, points: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return points of the stored crop in the pixels of this square.

        Args:
            points: x and y, shape (N, 2).
        """
        corner = np.asarray((self.left, self.top), dtype=points.dtype)
        return points * points.dtype.type(self.scale) - corner


def at_native_size(pixels: Pixels, side: int) -> ShownSquare:
    """Return a whole stored crop at the resolution that its frame had.

    Storing enlarged it by bicubic interpolation, which leaves nothing that smaller pixels could
    not hold: interpolating back restores it but for compression. Averaging areas would blur it
    (the variance of the Laplacian of a face halved).

    Args:
        pixels: The crop as it is stored, shape (S, S, 3), uint8.
        side: Its side in its frame, pixels, no more than it has.
    """
    scale = side / pixels.shape[0]
    if scale == 1:
        return ShownSquare(pixels)
    native = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
    return ShownSquare(np.asarray(native, dtype=np.uint8), scale)


class CropViews:
    """Which square of each stored crop is shown.

    Args:
        crops: Rows of `collect_crops`.
        crop: How they were stored.
        view: What is shown of them.
        is_drawn: Draw a square each time, as in training; else the one of the detector.
        target_px: What each row's face is reduced to, shape (N,); None to leave all as they are.
    """

    def __init__(
        self,
        crops: pd.DataFrame,
        *,
        crop: CropConfig,
        view: ViewConfig,
        is_drawn: bool,
        target_px: NDArray[np.float64] | None = None,
    ) -> None:
        self.view, self.is_drawn = view, is_drawn
        self._native = native_sides(crops, crop=crop)
        inner = view.crop_of(crop)
        places = [
            _Place.of(face, square, wh, crop=crop, inner=inner)
            for face, square, wh in stored_squares(crops, crop=crop)
        ]
        self._boxes = np.array([p.box for p in places]).reshape(-1, 3)
        self._rooms = np.array([p.room for p in places]).reshape(-1, 4)
        self._fixed = np.array([p.fixed for p in places]).reshape(-1, 3)
        self._matched = self._native
        if target_px is not None:
            shares = np.minimum(1.0, target_px / native_face_sizes(crops, crop=crop))
            least = np.minimum(self._native, _MIN_MATCHED_PX)
            self._matched = np.maximum(least, np.rint(self._native * shares)).astype(np.int64)

    def show(
        self,
        pixels: Pixels,
        row: int,
        *,
        seed: int = 0,
        partner: int | None = None,
        is_matched: bool = True,
    ) -> ShownSquare:
        """Return the square of a row's crop that is shown.

        Args:
            pixels: The crop as it is stored, shape (S, S, 3), uint8.
            row: Its row of the table.
            seed: Of what is drawn.
            partner: Row that is drawn with the same seed: both squares are then as wide over their
                boxes, where both pictures allow it.
            is_matched: Reduce its resolution to its target.
        """
        sides = self._matched if is_matched else self._native
        whole = _reduced(self.whole(pixels, row), int(sides[row]))
        if self.is_drawn:
            rows = (row,) if partner is None else (row, partner)
            over_box = _common([self._range(at, int(sides[at])) for at in rows])
            return _cut(whole, *self._draw(row, int(sides[row]), over_box=over_box, seed=seed))
        left, top, side = (float(v) for v in self._fixed[row] * sides[row])
        return _cut(whole, left, top, side)

    def whole(self, pixels: Pixels, row: int) -> ShownSquare:
        """Return all of a row's crop, at the resolution that it had."""
        return at_native_size(pixels, int(self._native[row]))

    def _draw(
        self, row: int, side: int, *, over_box: tuple[float, float], seed: int
    ) -> tuple[int, int, int]:
        """Return left, top and side of a random square inside of what the frame has."""
        rng = np.random.default_rng([seed, 2])
        low, high = over_box
        x, y, box = self._boxes[row] * side
        first_x, first_y, last_x, last_y = self._room(row, side)
        drawn = box * math.exp(rng.uniform(math.log(low), math.log(high)))
        length = max(1, min(round(drawn), last_x - first_x, last_y - first_y))
        x, y = (x, y) + rng.uniform(-1, 1, size=2) * self.view.jitter * box
        left = min(max(round(x - length / 2), first_x), last_x - length)
        top = min(max(round(y - length / 2), first_y), last_y - length)
        return left, top, length

    def _range(self, row: int, side: int) -> tuple[float, float]:
        """Return the smallest and the largest side of a drawn square, over the box's side."""
        box = float(self._boxes[row, 2]) * side
        first_x, first_y, last_x, last_y = self._room(row, side)
        room = min(last_x - first_x, last_y - first_y) / box
        low, high = self.view.sides
        low, high = max(low, self.view.min_px / box), min(room, high)
        return (low, high) if low < high else (room, room)

    def _room(self, row: int, side: int) -> tuple[int, int, int, int]:
        """Return the columns and rows of a crop that are the frame's, and no black edge."""
        first_x, first_y, last_x, last_y = self._rooms[row] * side
        return (
            math.ceil(first_x - _ROUNDING),
            math.ceil(first_y - _ROUNDING),
            math.floor(last_x + _ROUNDING),
            math.floor(last_y + _ROUNDING),
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where things lie in a stored crop, as shares of its side.

    Attributes:
        box: Middle and longer side of the face's box: x, y, side.
        room: What the frame fills of it: left, top, right, bottom.
        fixed: The square of the detector: left, top, side.
    """

    box: tuple[float, float, float]
    room: tuple[float, float, float, float]
    fixed: tuple[float, float, float]

    @classmethod
    def of(
        cls,
        face: Face,
        stored: Square,
        frame_wh: tuple[int, int],
        *,
        crop: CropConfig,
        inner: CropConfig,
    ) -> _Place:
        width, height = frame_wh
        shown = place_square(face, width=width, height=height, config=inner)
        side, length = stored.side, min(shown.side, stored.side)
        x, y = face.center_xy
        # Both squares are rounded, so the inner one may begin a pixel before the outer one.
        left = min(max(shown.left - stored.left, 0), side - length)
        top = min(max(shown.top - stored.top, 0), side - length)
        return cls(
            ((x - stored.left) / side, (y - stored.top) / side, face.size_px / side),
            _room_of(stored, frame_wh) if crop.edge == "inside" else (0.0, 0.0, 1.0, 1.0),
            (left / side, top / side, length / side),
        )


def _common(ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return what several ranges have in common, the first where they have nothing."""
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return (low, high) if low <= high else ranges[0]


def _room_of(stored: Square, frame_wh: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = frame_wh
    left, top, side = stored.left, stored.top, stored.side
    return (
        max(0, -left) / side,
        max(0, -top) / side,
        min(side, width - left) / side,
        min(side, height - top) / side,
    )


def _reduced(whole: ShownSquare, side: int) -> ShownSquare:
    scale = whole.scale * side / whole.pixels.shape[0]
    return ShownSquare(resize_square(whole.pixels, size=side), scale)


def _cut(whole: ShownSquare, left: float, top: float, side: float) -> ShownSquare:
    """Return a square of a picture, moved by less than a pixel where its corner lies in one."""
    length = max(1, round(side))
    if all(abs(v - round(v)) < _ROUNDING for v in (left, top, side)):
        x, y = round(left), round(top)
        pixels = np.ascontiguousarray(whole.pixels[y : y + length, x : x + length])
        return ShownSquare(pixels, whole.scale, x, y)
    step = side / length
    # From its pixels to those of the whole; OpenCV counts from the middle of a pixel.
    shift = (step - 1) / 2
    matrix = np.array([[step, 0.0, left + shift], [0.0, step, top + shift]])
    pixels = cv2.warpAffine(
        whole.pixels,
        matrix,
        (length, length),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    moved = np.asarray(pixels, dtype=np.uint8)
    return ShownSquare(moved, whole.scale / step, left / step, top / step)
