"""Tell a Motion JPEG stream, as cameras send it, from a still."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_jpeg_stream"]

_SEARCHED_BYTES = 32 << 20
_LEAST_PICTURES = 3
"""A still may carry one more for its thumbnail or its other eye."""


def is_jpeg_stream(path: Path) -> bool:
    """Return whether a file that begins as a JPEG holds several pictures, one after the other.

    Stills with several pictures in them (MPO) say so in their first one and are stills.
    """
    with path.open("rb") as stream:
        data = stream.read(_SEARCHED_BYTES)
    first_end = data.find(b"\xff\xd9\xff\xd8\xff")
    if first_end < 0 or b"MPF\0" in data[:first_end]:
        return False
    return data.count(b"\xff\xd9\xff\xd8\xff") >= _LEAST_PICTURES - 1
