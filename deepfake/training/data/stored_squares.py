"""Where crops were cut out of their frames, and where landmarks lie in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import CropConfig
from deepfake.extract.faces import Square, landmarks_in_square, place_square
from deepfake.types import Face

__all__ = ["MIN_NATIVE_PX", "landmarks_of", "native_face_sizes", "native_sides", "stored_squares"]

MIN_NATIVE_PX = 64
"""A crop is not made smaller than this before it is blended."""


def landmarks_of(crops: pd.DataFrame, *, crop: CropConfig) -> NDArray[np.float64]:
    """Return landmarks in the pixels of the stored crops, shape (N, 5, 2)."""
    points = np.empty((len(crops), 5, 2))
    for slot, (face, square, _) in zip(points, stored_squares(crops, crop=crop), strict=True):
        slot[...] = landmarks_in_square(face, square, size=crop.size)
    return points


def native_sides(crops: pd.DataFrame, *, crop: CropConfig) -> NDArray[np.int64]:
    """Return the side of each crop at the resolution that its frame had, shape (N,).

    It is no larger than the stored crop: what was averaged away does not come back.
    """
    sides = np.array([s.side for _, s, _ in stored_squares(crops, crop=crop)], dtype=np.int64)
    return np.minimum(crop.size, np.maximum(MIN_NATIVE_PX, sides))


def native_face_sizes(crops: pd.DataFrame, *, crop: CropConfig) -> NDArray[np.float64]:
    """Return the longer side of each face in the pixels that its crop has, shape (N,).

    Where a square was moved inwards or is smaller, so near to its frame's edge, this is not what
    `effective_sizes` takes from the margin.
    """
    sizes = [
        face.size_px * min(1.0, crop.size / square.side)
        for face, square, _ in stored_squares(crops, crop=crop)
    ]
    return np.array(sizes, dtype=np.float64)


def stored_squares(
    crops: pd.DataFrame, *, crop: CropConfig
) -> Iterator[tuple[Face, Square, tuple[int, int]]]:
    """Yield each crop's face, the square that it was cut as, and its frame's width and height.

    Args:
        crops: Rows of `collect_crops`.
        crop: How they were stored.
    """
    columns = ("bbox_xyxy", "landmarks", "frame_width", "frame_height")
    for box, flat, wide, high in zip(*(crops[name] for name in columns), strict=True):
        left, top, right, bottom = (float(v) for v in box)
        pairs = tuple((float(x), float(y)) for x, y in np.asarray(flat).reshape(5, 2))
        face, width, height = Face((left, top, right, bottom), pairs, 1.0), int(wide), int(high)
        yield face, place_square(face, width=width, height=height, config=crop), (width, height)
