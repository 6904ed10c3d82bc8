"""Tell a Motion JPEG stream, as cameras send it, from a still."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from deepfake.media.headers import read_still_header

__all__ = ["is_jpeg_stream"]

_SEARCHED_BYTES = 32 << 20
_LEAST_PICTURES = 3
"""A still may carry one more for its thumbnail or its other eye."""
_HEAD_BYTES = 1 << 17
_BETWEEN = b"\xff\xd9\xff\xd8\xff"
"""The end of a picture, and the start of the next."""


def is_jpeg_stream(path: Path) -> bool:
    """Return whether a file that begins as a JPEG holds several pictures, one after the other.

    They have one size. Stills with several pictures in them (MPO) say so in their first one, and
    previews behind a still are smaller: those are stills.
    """
    with path.open("rb") as stream:
        data = stream.read(_SEARCHED_BYTES)
    starts = [0]
    while len(starts) < _LEAST_PICTURES:
        end = data.find(_BETWEEN, starts[-1])
        if end < 0:
            return False
        starts.append(end + 2)
    if b"MPF\0" in data[: starts[1]]:
        return False
    return len({_size_of(data[start : start + _HEAD_BYTES]) for start in starts}) == 1


def _size_of(data: bytes) -> tuple[int, int] | None:
    """Return the size of a JPEG by its first bytes; None where they do not tell."""
    try:
        header = read_still_header(BytesIO(data), codec="jpeg")
    except ValueError:
        return None
    return header.width, header.height
