"""Turn a decoded frame of FFmpeg into pixels: square, upright, in colour or in grey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.media.files import check_pixels
from deepfake.media.luminance import stored_luminance
from deepfake.media.orientation import Orientation, shown_size
from deepfake.media.tone_map import is_hdr, peak_of, to_sdr

__all__ = ["FramePixels", "square_size"]


class FramePixels:
    """Converts the frames of one video.

    Args:
        path: The file, for messages.
        limits: Bound the pixels of every frame.
    """

    def __init__(self, path: Path, *, limits: MediaLimits) -> None:
        self._path, self._limits = path, limits
        self._reformatter = VideoReformatter()

    def rgb(self, frame: Any, orientation: Orientation, *, pixel_aspect: Any) -> NDArray[np.uint8]:
        """Return a frame in colour, shape (H, W, 3), uint8.

        Args:
            frame: As decoded.
            orientation: How it is turned.
            pixel_aspect: Width of a pixel over its height, of the stream.

        Raises:
            MediaTooLargeError: It has more pixels than the limits allow.
        """
        width, height = square_size(frame, pixel_aspect=pixel_aspect)
        check_pixels(width, height, limits=self._limits, path=self._path)
        is_hdr_frame = is_hdr(frame)
        rgb: Any = self._reformatter.reformat(
            frame,
            format="rgb48le" if is_hdr_frame else "rgb24",
            width=width,
            height=height,
            interpolation=None if (width, height) == (frame.width, frame.height) else "BICUBIC",
            threads=1,
        ).to_ndarray()
        if is_hdr_frame:
            rgb = to_sdr(
                rgb,
                transfer=int(frame.color_trc),
                primaries=int(frame.color_primaries),
                peak=peak_of(frame),
            )
        return orientation.apply(rgb)

    def grey(self, frame: Any, orientation: Orientation, *, pixel_aspect: Any) -> NDArray[np.uint8]:
        """Return the luminance, shape (H, W), uint8; as it is stored where that can be taken.

        Arguments and errors are those of `rgb`.
        """
        size = square_size(frame, pixel_aspect=pixel_aspect)
        is_same = size == (frame.width, frame.height)
        stored = stored_luminance(frame) if is_same and not is_hdr(frame) else None
        if stored is None:
            rgb = self.rgb(frame, orientation, pixel_aspect=pixel_aspect)
            return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        check_pixels(*size, limits=self._limits, path=self._path)
        return orientation.apply(stored)


def square_size(frame: Any, *, pixel_aspect: Any) -> tuple[int, int]:
    """Return the size of a frame as stored, with square pixels."""
    return shown_size(int(frame.width), int(frame.height), pixel_aspect=pixel_aspect)
