"""Find the video behind a still: Motion Photos of Google and Samsung, and what others append.

Programs that change a photograph move the video without changing what its metadata says of it, so
the video itself is looked for: behind the end of a JPEG, or in a box of a HEIC or AVIF file. It is
a whole MP4, which begins with its `ftyp` box.

Source: Android, Motion Photo format 1.0 (`mpvd` box, video at the end of the file); ExifTool,
Samsung.pm (`MotionPhoto_Data` in the trailer).
"""

from __future__ import annotations

import mmap
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepfake.config import MediaLimits
from deepfake.media.boxes import iter_boxes
from deepfake.media.files import read_head
from deepfake.media.headers import jpeg_scan_start, still_codec

__all__ = ["motion_video"]

_END = b"\xff\xd9"
_FTYP_BYTES = range(16, 512)
"""Sizes of an `ftyp` box: two fields and at least one brand."""
_HANDLES = Path("/proc/self/fd")
_NO_ITEMS = {b"ftyp", b"meta", b"mdat"}
"""Boxes of a HEIF file in which its pictures are."""


@contextmanager
def motion_video(path: Path, *, limits: MediaLimits) -> Iterator[Path | None]:
    """Yield a file with the video that is behind a still; None where there is none.

    The file has no name, and disappears with this process however it ends.

    Args:
        path: A still.
        limits: A video of more bytes than allowed is none.

    Raises:
        OSError: It cannot be read.
    """
    start = _video_start(path)
    if start is None or path.stat().st_size - start > limits.max_bytes:
        yield None
        return
    with path.open("rb") as stream, tempfile.TemporaryFile() as copy:
        stream.seek(start)
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield _HANDLES / str(copy.fileno())


def _video_start(path: Path) -> int | None:
    """Return where the video in a file begins."""
    head = read_head(path, num_bytes=16)
    is_jpeg = still_codec(head) == "jpeg"
    if not is_jpeg and head[4:8] != b"ftyp":
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not is_jpeg:
            return _find_ftyp(data, _end_of_items(path))
        try:
            scan = jpeg_scan_start(stream)
        except (ValueError, struct.error):
            return None
        end = data.find(_END, scan)
        return None if end < 0 else _find_ftyp(data, end)


def _end_of_items(path: Path) -> int:
    """Return where the last box of a HEIF file ends that belongs to its pictures."""
    with path.open("rb") as stream:
        return max((s + n for name, s, n in iter_boxes(stream) if name in _NO_ITEMS), default=0)


def _find_ftyp(data: mmap.mmap, start: int) -> int | None:
    """Return where the first `ftyp` box behind a place begins."""
    at = data.find(b"ftyp", start)
    while at >= 4:
        (size,) = struct.unpack(">I", data[at - 4 : at])
        if size in _FTYP_BYTES and size % 4 == 0:
            return at - 4
        at = data.find(b"ftyp", at + 4)
    return None
