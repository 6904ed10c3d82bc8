"""The square around a face: geometry and resampling. Encoding is not done here."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import CropConfig
from deepfake.types import Face

__all__ = [
    "MAX_SIDE_OVER_PICTURE",
    "CroppedFace",
    "Square",
    "crop_face",
    "landmarks_in_square",
    "place_square",
]

_QUALITY_PX = 128

MAX_SIDE_OVER_PICTURE = 1.15
"""Largest side of a square that is not mirrored, over the side of the picture. On 1,000 face crops
of DFDC the packaged network's head for blends has AUC 0.65 with such an edge, 0.59 with none."""


@dataclass(frozen=True, slots=True)
class Square:
    """A square in the pixels of a frame; parts of it may lie outside of the frame.

    Attributes:
        left: First column, may be negative.
        top: First row, may be negative.
        side: Columns and rows, at least 1.
    """

    left: int
    top: int
    side: int


@dataclass(frozen=True, slots=True)
class CroppedFace:
    """A face as the network is shown it.

    Attributes:
        pixels: Shape (S, S, 3), uint8.
        square: Where it was cut.
        sharpness: Variance of the Laplacian of the face's luminance after resizing the face to 128
            pixels, so that faces of different sizes compare (Pech-Pacheco et al., ICPR 2000).
        brightness: Mean luminance of the face, 0 to 255.
    """

    pixels: NDArray[np.uint8]
    square: Square
    sharpness: float
    brightness: float


def place_square(face: Face, *, width: int, height: int, config: CropConfig) -> Square:
    """Return the square that shows a face.

    Its side is the longer side of the box times the margin, and it is centred on the box. Where
    that reaches over the edge of the frame, `config.edge` decides: `mirror` leaves the square
    where it is; `inside` moves it inwards, and where the frame is too small for that, puts the
    whole frame into the middle of a square that is up to 15 % larger and black around it.

    Args:
        face: A face in the frame's pixels.
        width: Of the frame, pixels.
        height: Of the frame, pixels.
        config: Margin and edge.
    """
    side = max(1, round(face.size_px * config.margin))
    center_x, center_y = face.center_xy
    if config.edge == "mirror":
        return Square(round(center_x - side / 2), round(center_y - side / 2), side)
    shorter, longer = min(width, height), max(width, height)
    # A long, narrow picture whose face is larger than its shorter side is shown in full.
    shown = max(shorter, min(face.size_px, longer))
    side = max(1, round(min(face.size_px * config.margin, MAX_SIDE_OVER_PICTURE * shown)))
    return Square(
        _start(center_x, side=side, length=width), _start(center_y, side=side, length=height), side
    )


def _start(center: float, *, side: int, length: int) -> int:
    """Return where a side begins: around its centre, moved inwards; in the middle if too long."""
    if side > length:
        return -((side - length) // 2)
    return min(max(round(center - side / 2), 0), length - side)


def crop_face(pixels: NDArray[np.uint8], face: Face, *, config: CropConfig) -> CroppedFace:
    """Cut the square around a face, resize it, and measure the face in it.

    Shrinking averages areas, growing is bicubic.

    Args:
        pixels: The frame, shape (H, W, 3), uint8.
        face: A face in the frame's pixels.
        config: Size, margin and edge of the square.

    Raises:
        ValueError: No part of the square around the box lies inside the frame.
    """
    height, width = pixels.shape[:2]
    _check_overlap(face, width=width, height=height, margin=config.margin)
    square = place_square(face, width=width, height=height, config=config)
    fill = _cut_mirrored if config.edge == "mirror" else _cut_with_black_edge
    cut = fill(pixels, square)
    size = config.size
    interpolation = cv2.INTER_AREA if square.side >= size else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(cut, (size, size), interpolation=interpolation), dtype=np.uint8)
    sharpness, brightness = _measure_quality(_face_part(resized, face, square, config=config))
    return CroppedFace(resized, square, sharpness, brightness)


def landmarks_in_square(face: Face, square: Square, *, size: int) -> NDArray[np.float64]:
    """Return where the landmarks of a face lie in its resized square.

    Coordinates are of edges, as boxes have them: the middle of the first pixel is (0.5, 0.5).

    Args:
        face: A face in the frame's pixels.
        square: From `place_square`.
        size: Side of the square after resizing, pixels.

    Returns:
        Shape (5, 2), x and y in the square's pixels; may lie outside of it.
    """
    points = np.asarray(face.landmarks, dtype=np.float64) - (square.left, square.top)
    return np.asarray(points * (size / square.side), dtype=np.float64)


def _check_overlap(face: Face, *, width: int, height: int, margin: float) -> None:
    reach = max(1, round(face.size_px * margin))
    center_x, center_y = face.center_xy
    left, top = round(center_x - reach / 2), round(center_y - reach / 2)
    if top >= height or left >= width or top + reach <= 0 or left + reach <= 0:
        raise ValueError(f"the box {face.bbox_xyxy} lies outside a frame of {width}x{height}")


def _cut_mirrored(pixels: NDArray[np.uint8], square: Square) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    left, top, side = square.left, square.top, square.side
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return pixels[top : top + side, left : left + side]
    rows = pixels.take(_mirrored_positions(top, side, length=height), axis=0)
    return rows.take(_mirrored_positions(left, side, length=width), axis=1)


def _mirrored_positions(start: int, count: int, *, length: int) -> NDArray[np.int64]:
    """Return positions on an axis that turns back at each end: 1 0 | 0 1 2 | 2 1."""
    at = np.arange(start, start + count) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)


def _cut_with_black_edge(pixels: NDArray[np.uint8], square: Square) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    top, left = max(0, square.top), max(0, square.left)
    bottom = min(height, square.top + square.side)
    right = min(width, square.left + square.side)
    part = pixels[top:bottom, left:right]
    if part.shape[:2] == (square.side, square.side):
        return part
    whole = np.zeros((square.side, square.side, 3), dtype=np.uint8)
    y, x = top - square.top, left - square.left
    whole[y : y + bottom - top, x : x + right - left] = part
    return whole


def _face_part(
    resized: NDArray[np.uint8], face: Face, square: Square, *, config: CropConfig
) -> NDArray[np.uint8]:
    """Return the part of a resized square that holds the box of the face, itself a square."""
    size = resized.shape[0]
    if config.edge == "mirror":
        inset = round(size * (1 - 1 / config.margin) / 2)
        part = resized[inset : size - inset, inset : size - inset]
        return part if part.size else resized
    scale = size / square.side
    half = face.size_px * scale / 2
    center_x, center_y = face.center_xy
    x, y = (center_x - square.left) * scale, (center_y - square.top) * scale
    top, bottom = max(0, round(y - half)), min(size, round(y + half))
    left, right = max(0, round(x - half)), min(size, round(x + half))
    part = resized[top:bottom, left:right]
    return part if part.size else resized


def _measure_quality(face: NDArray[np.uint8]) -> tuple[float, float]:
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_QUALITY_PX, _QUALITY_PX), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_32F).var()), float(small.mean())
