"""Look at the boxes of an MP4, HEIF or similar file (ISO 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_heif_still", "iter_boxes", "video_problem"]

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
        names = {name for name, _, _ in iter_boxes(stream)}
    return b"meta" in names and not names & {b"moov", b"moof"}


def video_problem(path: Path) -> str | None:
    """Return why the pictures of an MP4 or WebM cannot be shown; None where nothing says so.

    They are encrypted (ISO 23001-7, Matroska), or in colours that only Dolby Vision defines.
    """
    with path.open("rb") as stream:
        head = stream.read(_WEBM_HEAD_BYTES)
        if head.startswith(b"\x1aE\xdf\xa3"):
            at = head.find(_WEBM_ENCODINGS)
            is_encrypted = at >= 0 and _WEBM_ENCRYPTION in head[at : at + 64]
            return _ENCRYPTED if is_encrypted else None
        if head[4:8] not in (b"ftyp", b"moov", b"styp"):
            return None
        for name, start, size in iter_boxes(stream):
            if name == b"moov":
                stream.seek(start)
                return _moov_problem(stream.read(min(size, _MAX_MOOV_BYTES)))
    return None


def _moov_problem(moov: bytes) -> str | None:
    # The sample entry of protected pictures takes the place of the codec's.
    if b"encv" in moov:
        return _ENCRYPTED
    at = max(moov.find(name) for name in _DOLBY_BOXES)
    # Two bytes of version, 7 bits of profile, 9 of other things, 4 of what it is compatible with.
    if at >= 0 and len(moov) > at + 8 and moov[at + 8] >> 4 == 0:
        profile = moov[at + 6] >> 1
        return f"a video in the colours of Dolby Vision alone (profile {profile})"
    return None


_ENCRYPTED = "an encrypted video: its key is needed to see it"
_DOLBY_BOXES = (b"dvcC", b"dvvC")
"""Source: Dolby Vision streams within the ISO base media file format 2.6, 3.2. Pictures that are
compatible with nothing are not in YCbCr, and shown as if they were they are green and purple."""


def iter_boxes(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
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
