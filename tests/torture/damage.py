"""Truncated and altered media, and files that are no media."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.sample_data import face_close_up
from tests.torture.bad_file import Kind, Outside
from tests.torture.stills import face_jpeg
from tests.torture.videos import face_clip

__all__ = ["DAMAGE"]

_ANY_END = "ok no_face decode_error unsupported empty too_large"
"""What damage in an unknown place may come to: whatever it is, it is a row."""


def _still(suffix: str) -> bytes:
    if suffix == ".jpg":
        return face_jpeg()
    stream = io.BytesIO()
    Image.fromarray(face_close_up()).save(stream, suffix[1:])
    return stream.getvalue()


def _clip(path: Path) -> bytes:
    whole = path.with_name(f"whole{path.suffix}")
    options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    codec = "libvpx" if path.suffix == ".webm" else "libx264"
    data = face_clip(whole, codec=codec, options=options).read_bytes()
    whole.unlink()
    return data


def _whole(path: Path) -> bytes:
    is_still = path.suffix in {".jpg", ".png", ".webp", ".tiff", ".bmp", ".gif"}
    return _still(path.suffix) if is_still else _clip(path)


def _cut(share: float) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        data = _whole(path)
        path.write_bytes(data[: max(1, int(share * len(data)))])

    return write


def _flipped(seed: int, *, reach: int | None = None) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        data = np.frombuffer(_whole(path), np.uint8).copy()
        rng = np.random.default_rng(seed)
        at = rng.integers(0, min(data.size, reach or data.size), size=20)
        data[at] ^= rng.integers(1, 256, size=at.size, dtype=np.uint8)
        path.write_bytes(data.tobytes())

    return write


def _doubled(path: Path, _: Outside) -> None:
    """Write a picture with another file behind it."""
    path.write_bytes(face_jpeg() + b"PK\3\4" + np.random.default_rng(0).bytes(5000))


def _archive(path: Path, _: Outside) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escape.jpg", face_jpeg())


def _bytes(data: bytes) -> Callable[[Path, Outside], object]:
    return lambda path, _: path.write_bytes(data)


def _sparse(size: int) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        with path.open("wb") as stream:
            stream.truncate(size)

    return write


def _each() -> Iterator[Kind]:
    for suffix in (".jpg", ".png", ".webp", ".mp4", ".mkv", ".ts", ".webm", ".avi"):
        for percent in (1, 10, 35, 60, 90, 99):
            yield Kind(f"cut/{percent}{suffix}", _ANY_END, _cut(percent / 100))
        for seed in (1, 2):
            yield Kind(f"flipped/{seed}{suffix}", _ANY_END, _flipped(seed))
        yield Kind(f"flipped/header{suffix}", _ANY_END, _flipped(3, reach=600))


DAMAGE = [
    *_each(),
    Kind("nothing.jpg", "empty", _bytes(b"")),
    Kind("nothing.mp4", "empty", _bytes(b"")),
    Kind("one-byte.mp4", "unsupported", _bytes(b"\xff")),
    Kind("zeros.mp4", "empty", _bytes(bytes(1 << 20))),
    Kind("noise.mp4", "unsupported", _bytes(np.random.default_rng(9).bytes(1 << 18))),
    Kind("only-a-start.jpg", "decode_error", _bytes(b"\xff\xd8\xff")),
    Kind("only-a-start.png", "decode_error", _bytes(b"\x89PNG\r\n\x1a\n")),
    Kind("only-a-start.mp4", "decode_error", _bytes(b"\0\0\0\x18ftypisom\0\0\0\0isommp42")),
    Kind("only-a-start.mkv", "decode_error", _bytes(b"\x1aE\xdf\xa3" + bytes(40))),
    Kind("text.txt", "unsupported", _bytes(b"not a medium\n" * 40)),
    Kind("page.html", "unsupported", _bytes(b"<html><img src='x.png'></html>" * 9)),
    Kind("document.pdf", "unsupported", _bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(99))),
    Kind("program.png", "unsupported", _bytes(b"\x7fELF\2\1\1" + bytes(200))),
    Kind("archive.zip", "unsupported", _archive),
    Kind("picture-and-more.jpg", "ok", _doubled),
    Kind("sparse-terabyte.mp4", "too_large", _sparse(1 << 40)),
    Kind("sparse-zeros.mp4", "empty", _sparse(1 << 28)),
]
