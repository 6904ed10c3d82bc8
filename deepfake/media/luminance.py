"""Take the luminance of a decoded frame as it is stored, without a conversion of colours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["stored_luminance"]

_FULL_RANGE = 2
"""FFmpeg's AVCOL_RANGE_JPEG."""
_PLANAR = frozenset(
    {f"{name}{pixels}p" for name in ("yuv", "yuvj") for pixels in (420, 422, 444)} | {"nv12"}
)
"""Formats whose first plane is the luminance, a byte a pixel."""
_TO_FULL = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
"""From the range of video, 16 to 235.

Source: ITU-R BT.601-7, table 3."""


def stored_luminance(frame: Any) -> NDArray[np.uint8] | None:
    """Return the luminance of a frame of FFmpeg, shape (H, W), uint8, 0 to 255.

    Args:
        frame: As decoded, not turned.

    Returns:
        None where the format holds it in another way.
    """
    if frame.format.name not in _PLANAR:
        return None
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    grey = rows[: frame.height, : frame.width]
    if frame.format.name.startswith("yuvj") or int(frame.color_range) == _FULL_RANGE:
        return grey.copy()
    return np.asarray(cv2.LUT(grey, _TO_FULL), np.uint8)
