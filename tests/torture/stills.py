"""Unusual pictures, and such that declare more than they hold."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.media_factory import write_jpeg_with_orientation, write_png_bomb, write_still
from tests.sample_data import crowd, face_close_up, landscape
from tests.torture.bad_file import Kind, Outside

__all__ = ["STILLS", "face_jpeg"]


def face_jpeg(side: int = 256) -> bytes:
    """Return a face as a JPEG file."""
    stream = io.BytesIO()
    Image.fromarray(face_close_up(side)).save(stream, "jpeg", quality=92)
    return stream.getvalue()


def _face(mode: str = "RGB", **options: Any) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        Image.fromarray(face_close_up()).convert(mode).save(path, **options)

    return write


def _deep(path: Path, _: Outside) -> None:
    write_still(path, face_close_up().astype(np.uint16) * 257)


def _blank(width: int, height: int, mode: str = "RGB") -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        Image.new(mode, (width, height), 0).save(path)

    return write


def _animated(path: Path, _: Outside) -> None:
    pictures = [Image.fromarray(np.roll(face_close_up(), 3 * i, axis=1)) for i in range(6)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80)


def _turned(path: Path, _: Outside) -> None:
    # Orientation 6: turned by a quarter when shown.
    write_jpeg_with_orientation(path, np.rot90(face_close_up()).copy(), orientation=6)


def _odd_size(path: Path, _: Outside) -> None:
    cv2.imwrite(str(path), cv2.resize(face_close_up()[:, :, ::-1], (257, 251)))


def _hundreds_of_faces(path: Path, _: Outside) -> None:
    cv2.imwrite(str(path), crowd(rows=4, columns=60, side=96)[:, :, ::-1])


def _looks_like(brand: bytes) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        box = struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, b"mif1")
        path.write_bytes(box + np.random.default_rng(3).bytes(4000))

    return write


def _png_bomb(path: Path, _: Outside) -> None:
    write_png_bomb(path, width=100_000, height=100_000)


def _png_text_bomb(path: Path, _: Outside) -> None:
    """Write a picture with a comment that unpacks to 400 MiB."""
    stream = io.BytesIO()
    Image.fromarray(face_close_up()).save(stream, "png")
    data = stream.getvalue()
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
    body = b"zTXt" + b"Comment\0\0" + packed
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(data[:33] + chunk + data[33:])


def _gif_bomb(path: Path, _: Outside) -> None:
    canvas = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00"
    path.write_bytes(canvas + picture + b";")


def _animated_gif_bomb(path: Path, _: Outside) -> None:
    canvas = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    path.write_bytes(canvas + 5 * picture + b";")


def _webp_bomb(path: Path, _: Outside) -> None:
    # VP8L: 14 bits of width - 1, 14 of height - 1.
    bits = 16382 | 16382 << 14
    body = b"WEBPVP8L" + struct.pack("<IBI", 5 + 64, 0x2F, bits) + bytes(65)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def _tiff(entries: list[tuple[int, int, int, int]], pixels: bytes = bytes(64)) -> bytes:
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4) + pixels


def _tiff_bomb(path: Path, _: Outside) -> None:
    size = [(256, 4, 1, 100_000), (257, 4, 1, 100_000), (258, 3, 1, 8), (259, 3, 1, 1)]
    path.write_bytes(_tiff([*size, (262, 3, 1, 1), (273, 4, 1, 100), (278, 4, 1, 100_000)]))


def _two_faced_tiff(path: Path, _: Outside) -> None:
    """Write a picture that declares its size twice, first huge, then small."""
    huge = [(256, 4, 1, 30_000), (257, 4, 1, 30_000)]
    small = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1)]
    path.write_bytes(_tiff([*huge, *small, (262, 3, 1, 1), (273, 4, 1, 146), (278, 4, 1, 30_000)]))


def _tiff_ring(path: Path, _: Outside) -> None:
    """Write a picture whose list of pictures is a ring."""
    tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1)]
    data = bytearray(_tiff([*tags, (262, 3, 1, 1), (273, 4, 1, 86), (278, 4, 1, 8)]))
    data[10 + 12 * 7 : 14 + 12 * 7] = struct.pack("<I", 8)
    path.write_bytes(data)


def _bmp_bomb(path: Path, _: Outside) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 40_000, -40_000, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54 + 64, 0, 0, 54) + header + bytes(64))


def _jpeg_bomb(path: Path, _: Outside) -> None:
    data = bytearray(face_jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    path.write_bytes(data)


def _scan_bomb(path: Path, _: Outside) -> None:
    """Write a progressive picture whose last scan stands there 20,000 times."""
    stream = io.BytesIO()
    Image.new("L", (8_000, 8_000), 90).save(stream, "jpeg", progressive=True)
    data = stream.getvalue()[:-2]
    scan = data[data.rindex(b"\xff\xda") :]
    path.write_bytes(data + 20_000 * scan + b"\xff\xd9")


def _endless_segments(path: Path, _: Outside) -> None:
    """Write a picture of ten million parts that say nothing, and no pixels."""
    path.write_bytes(b"\xff\xd8" + 10_000_000 * b"\xff\xe2\0\2")


def _endless_chunks(path: Path, _: Outside) -> None:
    stream = io.BytesIO()
    Image.fromarray(face_close_up(64)).save(stream, "png")
    empty = struct.pack(">I4sI", 0, b"teXt", zlib.crc32(b"teXt"))
    data = stream.getvalue()
    path.write_bytes(data[:33] + 3_000_000 * empty + data[33:])


def _large_and_blank(path: Path, _: Outside) -> None:
    """Write 98 million black pixels, just under the limit, in some 100 kB."""
    cv2.imwrite(str(path), np.zeros((9_900, 9_900), np.uint8))


def _many_large_frames(path: Path, _: Outside) -> None:
    pictures = [Image.new("P", (3000, 3000), i) for i in range(40)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=20)


def _landscape(path: Path, _: Outside) -> None:
    cv2.imwrite(str(path), landscape())


STILLS = [
    Kind("grey.png", "ok", _face("L")),
    Kind("rgba.png", "ok", _face("RGBA")),
    Kind("palette.png", "ok", _face("P")),
    Kind("one-bit.png", "ok no_face", _face("1")),
    Kind("cmyk.jpg", "ok", _face("CMYK")),
    Kind("progressive.jpg", "ok", _face(progressive=True)),
    Kind("packed.tiff", "ok", _face(compression="tiff_deflate")),
    Kind("lossless.webp", "ok", _face(lossless=True)),
    Kind("plain.bmp", "ok", _face()),
    Kind("still.gif", "ok", _face("P")),
    Kind("16-bit.png", "ok", _deep),
    Kind("16-bit.tiff", "ok", _deep),
    Kind("turned.jpg", "ok", _turned),
    Kind("odd-size.png", "ok", _odd_size),
    Kind("1x1.png", "no_face", _blank(1, 1)),
    Kind("1x1.jpg", "no_face", _blank(1, 1)),
    Kind("1x1.gif", "no_face", _blank(1, 1, "P")),
    Kind("thread.png", "no_face", _blank(1, 20_000)),
    Kind("ribbon.jpg", "no_face", _blank(20_000, 3)),
    Kind("nobody.png", "no_face", _landscape),
    Kind("hundreds-of-faces.png", "ok", _hundreds_of_faces),
    Kind("animated.gif", "ok", _animated),
    Kind("animated.png", "ok", _animated),
    Kind("animated.webp", "ok", _animated),
    Kind("photo.heic", "decode_error", _looks_like(b"heic")),
    Kind("photo.avif", "decode_error", _looks_like(b"avif")),
    Kind("picture.mp4", "ok", lambda path, _: path.write_bytes(face_jpeg())),
    Kind("large-and-blank.png", "no_face", _large_and_blank),
    Kind("many-large-frames.gif", "no_face", _many_large_frames),
    Kind("bomb.png", "too_large", _png_bomb),
    Kind("bomb.gif", "too_large", _gif_bomb),
    Kind("animated-bomb.gif", "too_large", _animated_gif_bomb),
    Kind("bomb.webp", "too_large", _webp_bomb),
    Kind("bomb.tiff", "too_large", _tiff_bomb),
    Kind("bomb.bmp", "too_large", _bmp_bomb),
    Kind("bomb.jpg", "too_large", _jpeg_bomb),
    Kind("two-faced.tiff", "too_large decode_error", _two_faced_tiff),
    Kind("ring.tiff", "no_face decode_error", _tiff_ring),
    Kind("comment-bomb.png", "ok decode_error", _png_text_bomb),
    Kind("scan-bomb.jpg", "timeout", _scan_bomb),
    Kind("endless-segments.jpg", "decode_error", _endless_segments),
    Kind(
        "endless-fill.jpg",
        "decode_error",
        lambda p, _: p.write_bytes(b"\xff\xd8" + 2**25 * b"\xff"),
    ),
    Kind("endless-chunks.png", "decode_error", _endless_chunks),
]
