"""Decode the frames of an animated WebP with Pillow; FFmpeg reads only its first one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, EmptyMediaError
from deepfake.media.files import check_frames, check_pixels
from deepfake.media.headers import StillHeader, webp_durations
from deepfake.media.orientation import exif_orientation
from deepfake.types import Kind, MediaInfo

__all__ = ["WebpFrames"]

_SHORTEST_MS = 10
_USUAL_MS = 100
"""Browsers show a frame of less than 11 ms for 100 ms."""


class WebpFrames:
    """Decodes the frames of one animated WebP by index.

    Args:
        path: A regular file.
        header: Its header.
        limits: Bound the pixels and how many frames there are.

    Attributes:
        info: Its description.
        pts_seconds: When each frame is shown, (N,) float64.

    Raises:
        MediaError: It is over a limit, damaged, or has no frame.
    """

    def __init__(self, path: Path, *, header: StillHeader, limits: MediaLimits) -> None:
        self._path = path
        self._orientation = exif_orientation(header.orientation)
        check_pixels(header.width, header.height, limits=limits, path=path)
        durations = self._durations(limits)
        self._size = (header.width, header.height)
        width, height = self._orientation.sized(*self._size)
        ends = np.cumsum(durations) / 1000
        self.pts_seconds: NDArray[np.float64] = np.append(0.0, ends[:-1])
        self.info = MediaInfo(
            kind=Kind.VIDEO,
            codec="webp",
            container="webp",
            width=width,
            height=height,
            rotation=90 * self._orientation.turns,
            fps=Fraction(1000 * len(durations), sum(durations)).limit_denominator(1001),
            num_frames=len(durations),
            duration_seconds=float(ends[-1]),
        )
        self._image = self._open()

    def _durations(self, limits: MediaLimits) -> list[int]:
        try:
            with self._path.open("rb") as stream:
                found = webp_durations(stream)
        except ValueError as error:
            raise DecodeError(f"a damaged WebP ({error})", path=self._path) from error
        if not found:
            raise EmptyMediaError("an animated WebP without a frame", path=self._path)
        check_frames(len(found), limits=limits, path=self._path)
        return [each if each > _SHORTEST_MS else _USUAL_MS for each in found]

    def _open(self) -> Any:
        from PIL import Image

        try:
            with warnings.catch_warnings(action="ignore"):
                image = Image.open(self._path, formats=("WEBP",))
        # Strangers' bytes: any error of the decoder means that it cannot be read.
        except Exception as error:
            raise DecodeError(f"a damaged WebP ({error})", path=self._path) from error
        if image.size != self._size:
            image.close()
            raise DecodeError("a WebP whose size is not the one it declares", path=self._path)
        return image

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (index, RGB pixels) for ascending indices; damaged frames are left out."""
        for index in indices:
            try:
                with warnings.catch_warnings(action="ignore"):
                    self._image.seek(index)
                    pixels = np.asarray(self._image.convert("RGB"), dtype=np.uint8)
            except Exception:  # as above; all that follow are based on this one
                return
            yield index, self._orientation.apply(pixels)

    def close(self) -> None:
        """Close the file."""
        self._image.close()
