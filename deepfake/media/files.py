"""Checks before a file is opened: regular local files within the size limits only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from deepfake.config import MediaLimits
from deepfake.errors import (
    EmptyMediaError,
    MediaTooLargeError,
    UnreadableMediaError,
    UnsupportedMediaError,
)

__all__ = ["check_frames", "check_pixels", "check_regular_file", "read_error", "read_head"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def check_regular_file(path: Path, *, limits: MediaLimits) -> int:
    """Check that a file may be opened, without opening it, and return its size in bytes.

    Args:
        path: The file; links are followed.
        limits: `max_bytes` applies.

    Raises:
        UnreadableMediaError: It does not exist or access is denied.
        UnsupportedMediaError: It is not a regular file.
        EmptyMediaError: It has no bytes.
        MediaTooLargeError: It has too many bytes.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise read_error(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for test, name in _KINDS if test(found.st_mode)), "a special file")
        raise UnsupportedMediaError(f"{kind}: only regular files are read", path=path)
    if found.st_size == 0:
        raise EmptyMediaError("the file has 0 bytes", path=path)
    if found.st_size > limits.max_bytes:
        raise MediaTooLargeError(
            f"the file has {found.st_size:,} bytes, at most {limits.max_bytes:,} are allowed",
            path=path,
        )
    return found.st_size


def check_pixels(width: int, height: int, *, limits: MediaLimits, path: Path) -> None:
    """Reject a picture that declares too many pixels.

    Raises:
        MediaTooLargeError: `width * height` is over `limits.max_pixels`.
    """
    if width * height > limits.max_pixels:
        raise MediaTooLargeError(
            f"{width} x {height} pixels are declared, at most {limits.max_pixels:,} are allowed",
            path=path,
        )


def check_frames(num_frames: int, *, limits: MediaLimits, path: Path) -> None:
    """Reject a video with too many frames.

    Raises:
        MediaTooLargeError: `num_frames` is over `limits.max_frames`.
    """
    if num_frames > limits.max_frames:
        raise MediaTooLargeError(
            f"the video has more than the {limits.max_frames:,} frames that are allowed", path=path
        )


def read_head(path: Path, *, num_bytes: int = 4096) -> bytes:
    """Return the first bytes of a regular file.

    Raises:
        UnreadableMediaError: The system denies opening or reading it.
    """
    try:
        # Non-blocking: opening must not hang if a pipe has replaced the file.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as stream:
            return stream.read(num_bytes)
    except OSError as error:
        raise read_error(path, error) from error


def read_error(path: Path, error: Exception, *, verb: str = "read") -> UnreadableMediaError:
    """Return the error that gives the system's reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return UnreadableMediaError(f"the file cannot be {verb} ({reason})", path=path)
