"""Read raw photographs (DNG, NEF, CR2, CR3, ARW, RAF, ORF, RW2 and others) with LibRaw.

They are developed as programs do by default: white balance of the camera, sRGB, upright. What a
camera or a program makes of the same photograph looks a little different.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.errors import DecodeError, MediaError, UnsupportedMediaError
from deepfake.media.headers import StillHeader

__all__ = ["has_raw_magic", "raw_header", "raw_pixels"]

_HALVED_PIXELS = 40_000_000
"""Larger photographs are read at half of their size: faces stay large, and it takes a tenth of the
time. Cameras of most people have 12 to 33 million."""

_MAGICS = (
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIRO"),  # Olympus
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"IIU\0"),  # Panasonic
    (4, b"ftypcrx "),  # Canon CR3
    (8, b"CR\x02"),  # Canon CR2
)
_UNREAD = "a raw photograph is not read: export it as JPEG, PNG or an 8-bit TIFF"


def has_raw_magic(head: bytes) -> bool:
    """Return whether a file is a raw photograph by its first bytes; others begin as a TIFF.

    Example:
        >>> has_raw_magic(b"FUJIFILMCCD-RAW 0201")
        True
    """
    return any(head[at : at + len(magic)] == magic for at, magic in _MAGICS)


def raw_header(path: Path) -> StillHeader:
    """Return the size of a raw photograph as it is read here; nothing is decoded.

    Raises:
        UnsupportedMediaError: LibRaw is not installed, or does not read it.
        DecodeError: It is damaged.
    """
    with _opened(path) as raw:
        sizes = raw.sizes
        width, height = int(sizes.width), int(sizes.height)
        if _is_halved(width, height):
            width, height = width // 2, height // 2
        if sizes.flip in _SIDEWAYS:
            width, height = height, width
        return StillHeader("raw", width, height)


_SIDEWAYS = (5, 6)
"""LibRaw's numbers of a quarter turn to the left and to the right."""


def raw_pixels(path: Path) -> NDArray[np.uint8]:
    """Return the developed, upright photograph, (H, W, 3) RGB; its size must have been checked.

    Grey becomes three equal channels.

    Raises:
        UnsupportedMediaError: LibRaw is not installed, or does not read it.
        DecodeError: It is damaged or cut off.
    """
    with _opened(path) as raw:
        is_halved = _is_halved(int(raw.sizes.width), int(raw.sizes.height))
        developed = raw.postprocess(use_camera_wb=True, half_size=is_halved, output_bps=8)
        if developed.shape[2] == 1:  # of a monochrome camera
            developed = np.repeat(developed, 3, axis=2)
        return np.ascontiguousarray(developed, dtype=np.uint8)


def _is_halved(width: int, height: int) -> bool:
    return width * height > _HALVED_PIXELS


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if find_spec("rawpy") is None:
        raise UnsupportedMediaError("a raw photograph, which needs rawpy to be read", path=path)
    import rawpy

    try:
        with path.open("rb") as stream, _quiet_stderr(), rawpy.imread(stream) as raw:
            yield raw
    except MediaError:
        raise
    except (rawpy.LibRawFileUnsupportedError, rawpy.LibRawNotImplementedError) as error:
        raise UnsupportedMediaError(_UNREAD, path=path) from error
    # Strangers' bytes: any error of the decoder means that the photograph cannot be read.
    except Exception as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        message = f"the raw photograph cannot be decoded ({reason or type(error).__name__})"
        raise DecodeError(message, path=path) from error


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Discard what LibRaw writes about damage to the process's standard error."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
