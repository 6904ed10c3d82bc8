"""The square around a face: geometry and resampling. Encoding is not done here."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.types import Face

__all__ = ["crop_square", "landmarks_in_square", "measure_quality"]

_QUALITY_PX = 128


def crop_square(
    pixels: NDArray[np.uint8], face: Face, *, size: int, margin: float
) -> NDArray[np.uint8]:
    """Cut the square around a face and resize it.

    The square is centred on the box, its side the longer side of the box times `margin`. What lies
    over the border is reflected from inside. Shrinking averages areas, growing is bicubic.

    Args:
        pixels: The frame, shape (H, W, 3), uint8.
        face: A face in the frame's pixels.
        size: Side of the result, pixels.
        margin: Side of the square over the longer side of the box, at least 1.

    Returns:
        Shape (size, size, 3), uint8.

    Raises:
        ValueError: No part of the square lies inside the frame.
    """
    height, width = pixels.shape[:2]
    left, top, side = _place(face, margin=margin)
    if top >= height or left >= width or top + side <= 0 or left + side <= 0:
        raise ValueError(f"the box {face.bbox_xyxy} lies outside a frame of {width}x{height}")
    square = _cut(pixels, left=left, top=top, side=side)
    interpolation = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    resized = cv2.resize(square, (size, size), interpolation=interpolation)
    return np.asarray(resized, dtype=np.uint8)


def landmarks_in_square(face: Face, *, size: int, margin: float) -> NDArray[np.float64]:
    """Return where the landmarks of a face lie in what `crop_square` cuts.

    Coordinates are of edges, as boxes have them: the middle of the first pixel is (0.5, 0.5).

    Args:
        face: A face in the frame's pixels.
        size: Side of the square after resizing, pixels.
        margin: As for `crop_square`.

    Returns:
        Shape (5, 2), x and y in the square's pixels; may lie outside of it.
    """
    left, top, side = _place(face, margin=margin)
    points = np.asarray(face.landmarks, dtype=np.float64) - (left, top)
    return np.asarray(points * (size / side), dtype=np.float64)


def _place(face: Face, *, margin: float) -> tuple[int, int, int]:
    """Return left, top and side of the square, pixels of the frame."""
    side = max(1, round(face.size_px * margin))
    center_x, center_y = face.center_xy
    return round(center_x - side / 2), round(center_y - side / 2), side


def _cut(pixels: NDArray[np.uint8], *, left: int, top: int, side: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return pixels[top : top + side, left : left + side]
    rows = pixels.take(_reflected(top, side, length=height), axis=0)
    return rows.take(_reflected(left, side, length=width), axis=1)


def _reflected(start: int, count: int, *, length: int) -> NDArray[np.int64]:
    """Return positions on an axis that turns back at each end: 1 0 | 0 1 2 | 2 1."""
    at = np.arange(start, start + count) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)


def measure_quality(square: NDArray[np.uint8], *, margin: float) -> tuple[float, float]:
    """Return sharpness and brightness of the face inside its square.

    Sharpness is the variance of the Laplacian of luminance after resizing the face to 128 pixels,
    so that it compares faces of different sizes (Pech-Pacheco et al., ICPR 2000).

    Args:
        square: From `crop_square`, shape (S, S, 3), uint8.
        margin: The margin that it was cut with.

    Returns:
        Variance of the Laplacian, and mean luminance (0 to 255).
    """
    side = square.shape[0]
    inset = round(side * (1 - 1 / margin) / 2)
    face = square[inset : side - inset, inset : side - inset]
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_QUALITY_PX, _QUALITY_PX), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_32F).var()), float(small.mean())
