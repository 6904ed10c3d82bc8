"""Measure how much colour a face crop has, so that grey pictures are known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["spread_of_colour"]

_MEASURED_PX = 64


def spread_of_colour(pixels: NDArray[np.uint8]) -> float:
    """Return the spread of colour that brightness does not explain, levels of 255.

    The root mean square of both chroma channels, after a line through brightness is taken off. A
    grey picture has 0, also after JPEG; so has one of a single tint.

    Args:
        pixels: A crop, (S, S, 3) RGB.

    Example:
        >>> spread_of_colour(np.full((64, 64, 3), 90, np.uint8))
        0.0
    """
    side = (_MEASURED_PX, _MEASURED_PX)
    small = cv2.resize(pixels, side, interpolation=cv2.INTER_AREA)
    channels = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).reshape(-1, 3).astype(np.float64)
    centered = channels - channels.mean(axis=0)
    luma, chroma = centered[:, 0], centered[:, 1:]
    slope = (luma @ chroma) / max(float(luma @ luma), 1e-9)
    return float(np.sqrt(((chroma - np.outer(luma, slope)) ** 2).mean()))
