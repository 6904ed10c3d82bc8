"""Seed inputs: what phones, cameras and scanners write, made by code."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
from PIL import Image

__all__ = ["photo_seeds"]


def photo_seeds(clip: bytes) -> dict[str, bytes]:
    """Return small photographs: HEIC, AVIF, JPEG XL, raw, of several pages, with a video behind.

    Args:
        clip: An MP4 that is put behind photographs.
    """
    import pillow_heif
    import pillow_jxl  # noqa: F401 - importing it registers the format

    pillow_heif.register_heif_opener()
    rng = np.random.default_rng(1)
    pages = [
        Image.fromarray(cv2.GaussianBlur(rng.integers(0, 256, (64, 96, 3), np.uint8), (0, 0), 2))
        for _ in range(3)
    ]
    turned = Image.Exif()
    turned[0x0112] = 6
    later: dict[str, Any] = {"save_all": True, "append_images": pages[1:]}
    avif = _saved(pages[0], "AVIF", exif=turned)
    jpeg = _saved(pages[0], "JPEG", exif=turned)
    at = avif.index(b"colrnclx") + 8
    return {
        "photo.heic": _saved(pages[0], "HEIF", quality=60),
        "photo.avif": avif,
        "pq.avif": avif[:at] + b"\0\x09\0\x10" + avif[at + 4 :],
        "animated.avif": _saved(pages[0], "AVIF", duration=80, **later),
        "photo.jxl": _saved(pages[0], "JXL", effort=1),
        "lossless.jxl": _saved(pages[0], "JXL", effort=1, lossless=True),
        "animated.webp": _saved(pages[0], "WEBP", duration=[80, 40, 5], **later),
        "turned.webp": _saved(pages[0], "WEBP", duration=80, exif=turned, **later),
        "pages.tiff": _saved(pages[0], "TIFF", **later),
        "packed-pages.tiff": _saved(pages[0], "TIFF", compression="tiff_lzw", **later),
        "several.jpg": _saved(pages[0], "MPO", **later),
        "motion.jpg": jpeg + clip,
        "samsung.jpg": jpeg + b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + clip + b"SEFH",
        "motion.avif": avif + struct.pack(">I4s", 8 + len(clip), b"mpvd") + clip,
        "stream.jpg": 4 * _saved(pages[1], "JPEG"),
        "raw.dng": _dng(np.asarray(pages[0])),
    }


def _saved(picture: Image.Image, name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, name, **options)
    return stream.getvalue()


def _dng(pixels: Any) -> bytes:
    """Return a raw photograph: a mosaic in 16 bits, and little else (DNG 1.4)."""
    height, width, _ = pixels.shape
    mosaic = pixels[:, :, 1].astype("<u2") * 257
    mosaic[::2, ::2] = pixels[::2, ::2, 0].astype("<u2") * 257
    short: list[tuple[int, int, int, int]] = [(254, 4, 1, 0), (256, 4, 1, width)]
    short += [(257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 32803)]
    short += [(273, 4, 1, 0), (274, 3, 1, 6), (277, 3, 1, 1), (278, 4, 1, height)]
    short += [(279, 4, 1, mosaic.nbytes), (33421, 3, 2, 2 | 2 << 16), (33422, 1, 4, 0x02010100)]
    short += [(50706, 1, 4, 0x401), (50708, 2, 4, 0x4D4143), (50717, 4, 1, 65535)]
    start = 8 + 2 + 12 * len(short) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, count, start if tag == 273 else value)
        for tag, kind, count, value in short
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(short)) + entries + bytes(4)
    return head + mosaic.tobytes()
