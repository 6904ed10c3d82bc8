"""Read HEIC, HEIF, AVIF and JPEG XL with Pillow and its plugins."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.errors import DecodeError, MediaError, MediaTooLargeError, UnsupportedMediaError

__all__ = ["PILLOW_CODECS", "pillow_pixels", "pillow_size"]

PILLOW_CODECS = {"heif": ("AVIF", "HEIF"), "jxl": ("JXL",)}
"""Formats of Pillow that read a codec."""

_PLUGINS = {"heif": "pillow_heif", "jxl": "pillow_jxl"}
_NAMES = {"heif": "HEIC, HEIF or AVIF", "jxl": "JPEG XL"}


def pillow_size(path: Path, *, codec: str) -> tuple[int, int]:
    """Return width and height as shown; no pixel is decoded.

    Raises:
        UnsupportedMediaError: No installed library reads such a picture.
        DecodeError: The header is damaged.
    """
    with _opened(path, codec) as image:
        width, height = image.size
        is_sideways = image.getexif().get(0x0112, 1) >= 5
        return (height, width) if is_sideways else (width, height)


def pillow_pixels(path: Path, *, codec: str) -> NDArray[np.uint8]:
    """Return the upright picture, (H, W, 3) RGB; its size must have been checked before.

    Raises:
        UnsupportedMediaError: No installed library reads such a picture.
        DecodeError: The pixels are damaged or cut off.
    """
    from PIL import ImageOps

    with _opened(path, codec) as image:
        upright = ImageOps.exif_transpose(image)
        return np.ascontiguousarray(upright.convert("RGB"), dtype=np.uint8)


@contextmanager
def _opened(path: Path, codec: str) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    _register(codec)
    known = tuple(f for f in PILLOW_CODECS[codec] if f in Image.OPEN)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(path, formats=known or ("NONE",)) as image,
        ):
            yield image
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaTooLargeError(str(error), path=path) from error
    except (UnidentifiedImageError, KeyError) as error:
        if find_spec(_PLUGINS[codec]) is None:
            message = f"a {_NAMES[codec]} picture, which needs {_PLUGINS[codec]} to be read"
            raise UnsupportedMediaError(message, path=path) from error
        raise DecodeError(f"a damaged {_NAMES[codec]} picture", path=path) from error
    # Strangers' bytes: any error of the decoder means that the picture cannot be read.
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DecodeError(
            f"the {_NAMES[codec]} picture cannot be decoded ({reason})", path=path
        ) from error


def _register(codec: str) -> None:
    """Let Pillow know of the plugin, once a process."""
    from PIL import Image

    Image.preinit()
    Image.init()
    if codec == "jxl" and "JXL" not in Image.OPEN and find_spec("pillow_jxl") is not None:
        import pillow_jxl  # noqa: F401 - importing it registers the format
    if codec == "heif" and "HEIF" not in Image.OPEN and find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener()
