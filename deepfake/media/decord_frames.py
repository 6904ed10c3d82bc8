"""Decode a video with decord, for trusted corpora only.

decord bundles an FFmpeg of 2021 whose protocols cannot be restricted, and it can abort the process
on a damaged file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.errors import ConfigError, DecodeError

__all__ = ["DECORD_FORMATS", "DecordFrames", "has_decord"]

DECORD_FORMATS = frozenset({"mov", "mp4", "matroska", "webm"})
"""Formats in which decord seeks exactly; in MPEG-TS it is off by a group of pictures."""


def has_decord() -> bool:
    """Return whether decord is installed, without importing it."""
    return find_spec("decord") is not None


class DecordFrames:
    """The frames of one video file, by index.

    Args:
        path: A regular file of one of `DECORD_FORMATS`.
        num_frames: Number of frames according to the packet index.
        size: Width and height as stored, pixels.

    Raises:
        ConfigError: decord is not installed.
        DecodeError: decord cannot open the file, or its frames differ from the packet index.
    """

    def __init__(self, path: Path, *, num_frames: int, size: tuple[int, int]) -> None:
        if not has_decord():
            raise ConfigError(
                "decord is not installed",
                hint="Install decord (it has no wheel for ARM), or choose the decoder 'pyav'.",
            )
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self._errors = (decord.DECORDError, RuntimeError, IndexError, OSError)
        try:
            self._reader: Any = decord.VideoReader(str(path), num_threads=1)
            found = len(self._reader)
            height, width, _ = self._reader[0].shape
        except self._errors as error:
            reason = str(error).strip().splitlines()[0][-200:] if str(error).strip() else "unknown"
            raise DecodeError(f"decord cannot open the video ({reason})", path=path) from error
        if found != num_frames or (width, height) != size:
            raise DecodeError(
                f"decord finds {found} frames of {width} x {height}, "
                f"the packet index has {num_frames} of {size[0]} x {size[1]}",
                path=path,
            )

    def close(self) -> None:
        """Close the file."""
        self._reader = None

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (index, RGB pixels) for ascending indices; frames that fail are left out."""
        for target in indices:
            try:
                pixels: NDArray[np.uint8] = self._reader[int(target)].asnumpy()
            except self._errors:
                continue
            yield target, pixels
