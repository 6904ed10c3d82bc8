"""Cut the square around a mouth out of a grey frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import MouthConfig

__all__ = ["cut_mouth", "mouth_square"]

_LEFT_EYE, _RIGHT_EYE, _LEFT_CORNER, _RIGHT_CORNER = 0, 1, 3, 4
"""Of five landmarks."""


def mouth_square(
    landmarks: NDArray[np.float64], *, side: float
) -> tuple[NDArray[np.float64], float, float]:
    """Return centre, side in pixels and angle in radians of the square around a mouth.

    Its centre lies between the corners of the mouth, and its upper edge is parallel to the line
    between the eyes.

    Args:
        landmarks: Shape (5, 2).
        side: Of the square, over the distance between eyes and mouth.
    """
    eyes = (landmarks[_LEFT_EYE] + landmarks[_RIGHT_EYE]) / 2
    centre = (landmarks[_LEFT_CORNER] + landmarks[_RIGHT_CORNER]) / 2
    x, y = landmarks[_RIGHT_EYE] - landmarks[_LEFT_EYE]
    length = side * max(1.0, float(np.hypot(*(centre - eyes))))
    return centre, length, float(np.arctan2(y, x))


def cut_mouth(
    grey: NDArray[np.uint8], landmarks: NDArray[np.float64], *, config: MouthConfig
) -> NDArray[np.uint8]:
    """Return the square around a mouth, shape (S, S), uint8.

    What reaches over the edge of the frame repeats its last pixels.

    Args:
        grey: The frame, shape (H, W), uint8.
        landmarks: Shape (5, 2), pixels of the frame.
        config: Side of the square, and its size.
    """
    centre, length, angle = mouth_square(landmarks, side=config.side)
    part, centre, length = _shrunk(grey, centre, length, size_px=config.size_px)
    scale, middle = length / config.size_px, (config.size_px - 1) / 2
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    shift = centre - rotation @ (middle, middle)
    matrix = np.concatenate([rotation, shift[:, None]], axis=1)  # of the square to the frame
    size = (config.size_px, config.size_px)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mouth = cv2.warpAffine(part, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(mouth, np.uint8)


def _shrunk(
    grey: NDArray[np.uint8], centre: NDArray[np.float64], length: float, *, size_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Return the surroundings of a large square at a whole fraction of their size.

    Else interpolation would skip pixels.
    """
    factor = int(length / size_px)
    if factor < 2:
        return grey, centre, length
    height, width = grey.shape
    reach = length * 0.75  # half of the diagonal, and a little
    # Places outside of the frame have at least its nearest pixels.
    left, top = (
        int(np.clip(v - reach, 0, n - factor)) for v, n in zip(centre, (width, height), strict=True)
    )
    columns = max(1, min(width - left, int(2 * reach)) // factor)
    rows = max(1, min(height - top, int(2 * reach)) // factor)
    part = grey[top : top + rows * factor, left : left + columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    moved = (centre - (left, top) + 0.5) / factor - 0.5
    return np.asarray(small, np.uint8), moved, length / factor
