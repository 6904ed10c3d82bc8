"""Read metadata about a file's origin: camera, program, encoder, dates. They can be forged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, MediaError
from deepfake.media.containers import open_container
from deepfake.media.files import check_regular_file
from deepfake.media.stills import still_header

__all__ = ["read_tags"]

# EXIF 2.32: tags of the first directory, and those of the EXIF directory it names.
_EXIF = {
    0x010F: "camera_make",
    0x0110: "camera_model",
    0x0131: "software",
    0x0132: "changed_at",
    0x013B: "artist",
    0x8298: "copyright",
}
_EXIF_MORE = {0x9003: "taken_at", 0x9004: "digitised_at", 0xA434: "lens"}
_EXIF_DIRECTORY = 0x8769
_TEXTS = {"Software": "software", "Creation Time": "created_at", "parameters": "parameters"}
"""Text chunks of PNG; image generators write their prompts into `parameters`."""
_CONTAINER = {
    "encoder": "encoder",
    "creation_time": "created_at",
    "com.apple.quicktime.make": "camera_make",
    "com.apple.quicktime.model": "camera_model",
    "com.apple.quicktime.software": "software",
    "com.apple.quicktime.creationdate": "taken_at",
    "software": "software",
    "make": "camera_make",
    "model": "camera_model",
    "comment": "comment",
    "handler_name": "handler",
    "major_brand": "brand",
}
_MAX_TEXT = 300


def read_tags(path: Path, *, limits: MediaLimits) -> dict[str, str]:
    """Return a file's metadata about its origin, by name; empty if there are none.

    Args:
        path: The file.
        limits: Size limits.

    Raises:
        MediaError: It cannot be opened.
    """
    check_regular_file(path, limits=limits)
    header = still_header(path)
    if header is not None and (not header.is_animated or header.codec == "webp"):
        return dict(_still_tags(path))
    found: dict[str, str] = {}
    with open_container(path, limits=limits) as container:
        streams = [s.metadata for s in container.streams if s.type == "video"]
        for metadata in (container.metadata, *streams):
            for key, value in dict(metadata).items():
                name = _CONTAINER.get(str(key).lower())
                if name is not None and str(value).strip():
                    found.setdefault(name, _clean(value))
    return found


def _still_tags(path: Path) -> Iterator[tuple[str, str]]:
    # Pillow reads the header alone here: no pixel is decoded.
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            exif = image.getexif()
            values = [
                *((_EXIF[tag], exif.get(tag)) for tag in _EXIF),
                *((n, exif.get_ifd(_EXIF_DIRECTORY).get(tag)) for tag, n in _EXIF_MORE.items()),
                *((name, image.info.get(key)) for key, name in _TEXTS.items()),
            ]
    except MediaError:
        raise
    # An untrusted header: any error of Pillow means that the metadata cannot be read.
    except Exception as error:
        raise DecodeError(f"the metadata cannot be read ({_clean(error)})", path=path) from error
    for name, value in values:
        if isinstance(value, (str, bytes)) and (text := _clean(value)):
            yield name, text


def _clean(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return " ".join(text.replace("\0", " ").split())[:_MAX_TEXT]
