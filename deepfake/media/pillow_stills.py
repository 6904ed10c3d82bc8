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
from deepfake.media.heif_colour import primary_colours
from deepfake.media.orientation import exif_orientation
from deepfake.media.tone_map import HLG, PQ, USUAL_PEAK, to_sdr

__all__ = ["PILLOW_CODECS", "pillow_pixels", "pillow_size"]

PILLOW_CODECS = {"heif": ("AVIF", "HEIF"), "jxl": ("JXL",)}
"""Formats of Pillow that read a codec."""

_PLUGINS = {"heif": "pillow_heif", "jxl": "pillow_jxl"}
_NAMES = {"heif": "HEIC, HEIF or AVIF", "jxl": "JPEG XL"}


def pillow_size(path: Path, *, codec: str) -> tuple[int, int]:
    """Return width and height as shown of a HEIC, HEIF or AVIF picture; no pixel is decoded.

    Raises:
        UnsupportedMediaError: No installed library reads such a picture.
        DecodeError: The header is damaged.
    """
    with _opened(path, codec) as image:
        width, height = image.size
        is_sideways = image.getexif().get(0x0112, 1) >= 5
        return (height, width) if is_sideways else (width, height)


def pillow_pixels(path: Path, *, codec: str, orientation: int) -> NDArray[np.uint8]:
    """Return the upright picture, (H, W, 3) RGB; its size must have been checked before.

    Args:
        path: The picture.
        codec: `heif` or `jxl`.
        orientation: What a JPEG XL picture says of itself; its EXIF data do not count.

    Raises:
        UnsupportedMediaError: No installed library reads such a picture.
        DecodeError: The pixels are damaged or cut off.
    """
    with _opened(path, codec) as image:
        if codec == "jxl":
            pixels = np.ascontiguousarray(image.convert("RGB"), dtype=np.uint8)
            # The library turns pictures, but not the JPEG that one was made of.
            return exif_orientation(orientation).apply(pixels) if image.jpeg else pixels
        colours = primary_colours(path)
        return _as_sdr(_upright(image), colours)


def _upright(image: Any) -> NDArray[np.uint8]:
    from PIL import ImageOps

    return np.ascontiguousarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint8)


def _as_sdr(pixels: NDArray[np.uint8], colours: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return a picture in PQ or HLG as sRGB, any other as it is."""
    if colours is None or colours[1] not in (PQ, HLG):
        return pixels
    primaries, transfer = colours
    wide = pixels.astype(np.uint16) * 257
    return to_sdr(wide, transfer=transfer, primaries=primaries, peak=USUAL_PEAK)


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
        # Of JPEG XL the library gives the same advice on how to build it for all damage.
        detail = "damaged or cut off" if codec == "jxl" else reason
        raise DecodeError(
            f"the {_NAMES[codec]} picture cannot be decoded ({detail})", path=path
        ) from error


def _register(codec: str) -> None:
    """Let Pillow know of the plugin, once a process."""
    from PIL import Image

    Image.preinit()
    Image.init()
    if codec == "jxl" and "JXL" not in Image.OPEN and find_spec("pillow_jxl") is not None:
        from pillow_jxl import JpegXLImagePlugin  # importing it registers the format

        JpegXLImagePlugin.DECODE_THREADS = 1
    if codec == "heif" and "HEIF" not in Image.OPEN and find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener()
