"""Look at the boxes of an MP4, HEIF or similar file (ISO 14496-12), and at what it encrypts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_encrypted", "is_heif_still"]

_MAX_BOXES = 10_000
_MAX_MOOV_BYTES = 64 << 20
_WEBM_HEAD_BYTES = 1 << 16
_WEBM_ENCODINGS, _WEBM_ENCRYPTION = b"\x6d\x80", b"\x50\x35"
"""Matroska: ContentEncodings, ContentEncryption."""


def is_heif_still(path: Path) -> bool:
    """Return whether a file holds pictures as items and no track: a HEIC, HEIF or AVIF still.

    Brands do not tell: there are more than a list could hold.
    """
    with path.open("rb") as stream:
        if stream.read(8)[4:8] != b"ftyp":
            return False
        names = {name for name, _, _ in _boxes(stream)}
    return b"meta" in names and not names & {b"moov", b"moof"}


def is_encrypted(path: Path) -> bool:
    """Return whether the pictures of an MP4 or WebM are encrypted (ISO 23001-7, Matroska)."""
    with path.open("rb") as stream:
        head = stream.read(_WEBM_HEAD_BYTES)
        if head.startswith(b"\x1aE\xdf\xa3"):
            at = head.find(_WEBM_ENCODINGS)
            return at >= 0 and _WEBM_ENCRYPTION in head[at : at + 64]
        if head[4:8] not in (b"ftyp", b"moov", b"styp"):
            return False
        for name, start, size in _boxes(stream):
            if name == b"moov":
                stream.seek(start)
                # The sample entry of protected pictures takes the place of the codec's.
                return b"encv" in stream.read(min(size, _MAX_MOOV_BYTES))
    return False


def _boxes(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and size of each box at the top of a file."""
    position, end = 0, stream.seek(0, 2)
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        start = stream.read(16)
        if len(start) < 8:
            return
        size, name = struct.unpack(">I4s", start[:8])
        if size == 1 and len(start) == 16:
            (size,) = struct.unpack(">Q", start[8:])
        elif size == 0:
            size = end - position
        if size < 8:
            return
        yield name, position, size
        position += size
