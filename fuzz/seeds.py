"""Seed inputs: small valid files, made by code."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from deepfake.media import write_video
from fuzz.photo_seeds import photo_seeds

__all__ = ["chosen", "files_of", "media_seeds", "sha256", "with_plain_tables"]


def _frames(count: int = 6, *, width: int = 48, height: int = 32) -> list[Any]:
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8), (0, 0), 3)
    return [np.ascontiguousarray(wide[i : i + height, 3 * i : 3 * i + width]) for i in range(count)]


_CLIPS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": {"bf": "2", "g": "4"}},
    "h264.mkv": {"options": {"bf": "0", "g": "3"}},
    "h264.ts": {},
    "h264.flv": {},
    "bare.h264": {},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "hdr.mkv": {
        "codec": "libx265",
        "pixel_format": "yuv420p10le",
        "options": {"x265-params": "log-level=none"},
    },
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "photos.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "vp8.webm": {"codec": "libvpx"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "wmv.wmv": {"codec": "wmv2"},
    "animated.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "animated.png": {"codec": "apng", "pixel_format": "rgb24"},
    "raw.nut": {"codec": "rawvideo"},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "lossless.mkv": {"codec": "ffv1"},
}
_STILLS = (".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif")


def media_seeds() -> dict[str, bytes]:
    """Return small videos and pictures of every format that is read."""
    seeds = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip, settings in _CLIPS.items():
            suffix = ".apng" if clip == "animated.png" else Path(clip).suffix
            # x265 writes outside of its memory where a side is 48.
            is_hevc = settings.get("codec") == "libx265"
            frames = _frames(6, width=64, height=64) if is_hevc else _frames(6)
            path = write_video(folder / f"clip{suffix}", frames, fps=25, **settings)
            seeds[clip] = path.read_bytes()
    for suffix in _STILLS:
        # OpenCV writes no grey GIF.
        for depth in ("colour",) if suffix == ".gif" else ("grey", "colour"):
            pixels = _frames(1)[0] if depth == "colour" else _frames(1)[0][:, :, 0]
            _, encoded = cv2.imencode(suffix, pixels)
            seeds[f"{depth}{suffix}"] = encoded.tobytes()
    _, deep = cv2.imencode(".tiff", _frames(1)[0].astype(np.uint16) * 257)
    return {**seeds, **photo_seeds(seeds["h264.mp4"]), "deep.tiff": deep.tobytes()}


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def files_of(make: Callable[[Path], object]) -> dict[str, bytes]:
    """Return the files that a function writes into a folder, by their relative name."""
    with _scratch() as folder:
        make(folder)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def with_plain_tables(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files with each Parquet file a second time, uncompressed.

    A byte that is changed in a compressed page is found out before its meaning is read.
    """
    with _scratch() as folder:
        plain = {}
        for name, data in files.items():
            if not name.endswith(".parquet"):
                continue
            (folder / "packed").write_bytes(data)
            table = pq.ParquetFile(folder / "packed").read()
            pq.write_table(table, folder / "plain", compression="none", use_dictionary=False)
            plain[f"plain-{name}"] = (folder / "plain").read_bytes()
    return {**files, **plain}


def chosen(names: Sequence[str], data: bytes) -> tuple[str, bytes]:
    """Return which file an input replaces, chosen by its first byte, and the content."""
    return names[data[0] % len(names) if data else 0], data[1:]


def sha256(data: bytes) -> str:
    """Return the digest of bytes."""
    return hashlib.sha256(data).hexdigest()
