"""Write unusual media: rates, rotations, damage, formats.

Every frame carries its own index as a row of black and white blocks, so that a test can tell
exactly which frame it was given.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "MOTION_PHOTOS",
    "as_ordinary_user",
    "frame_number",
    "index_frame",
    "noise_picture",
    "patch_avi_length",
    "patch_mkv_duration",
    "patch_mp4_rotation",
    "readable_folder",
    "truncate",
    "write_byte_files",
    "write_clip",
    "write_dng",
    "write_jpeg_with_orientation",
    "write_motion_photo",
    "write_png_bomb",
    "write_sound",
    "write_still",
    "write_text_clip",
]

_NUM_BITS = 10
_TIME_BASE = Fraction(1, 1000)


def index_frame(index: int, *, width: int = 160, height: int = 96) -> NDArray[np.uint8]:
    """Return a frame that shows its index as ten blocks in the upper half.

    Below are a moving ramp and, in the lower left corner, a red patch that tells which way is up.
    """
    bits = [255 if index >> bit & 1 else 0 for bit in range(_NUM_BITS)]
    row = np.repeat(np.array(bits, np.uint8), -(-width // _NUM_BITS))[:width]
    frame = np.empty((height, width, 3), np.uint8)
    frame[: height // 2] = row[None, :, None]
    ramp = (np.arange(width) + 3 * index) % 128 + 64
    frame[height // 2 :] = ramp.astype(np.uint8)[None, :, None]
    frame[-height // 4 :, : width // 8] = (220, 20, 20)
    return frame


def frame_number(pixels: NDArray[np.uint8]) -> int:
    """Return the index that a frame shows."""
    height, width, _ = pixels.shape
    centres = ((np.arange(_NUM_BITS) + 0.5) * -(-width // _NUM_BITS)).astype(int)
    levels = pixels[height // 8 : 3 * height // 8, centres].mean(axis=(0, 2))
    return int(sum(1 << bit for bit, level in enumerate(levels) if level > 127))


def write_clip(
    path: Path,
    *,
    num_frames: int = 48,
    fps: int = 25,
    codec: str = "libx264",
    size: tuple[int, int] = (160, 96),
    key_every: int = 12,
    b_frames: int = 0,
    times_ms: Sequence[int] | None = None,
    pixel_format: str = "yuv420p",
    is_faststart: bool = False,
    has_sound: bool = False,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write a clip of index frames; `times_ms` makes its rate vary, or start anywhere."""
    flags = {"movflags": "+faststart"} if is_faststart else {}
    with av.open(str(path), "w", options=flags) as container:
        settings = {"g": str(key_every), "bf": str(b_frames), **(options or {})}
        stream = container.add_stream(codec, rate=fps, options=settings)
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        if times_ms is not None:
            stream.codec_context.time_base = _TIME_BASE
        sound = container.add_stream("aac", rate=16000, layout="mono") if has_sound else None
        for index in range(num_frames):
            pixels = index_frame(index, width=size[0], height=size[1])
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[index], _TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _mux_silence(container, sound, seconds=num_frames / fps)
    return path


def write_sound(path: Path, *, seconds: float = 1.0) -> Path:
    """Write a container that holds sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        _mux_silence(container, stream, seconds=seconds)
    return path


def write_text_clip(path: Path, text: str = "this is a text, whatever its name says\n") -> Path:
    """Write text under the name of a video."""
    path.write_text(text * 50, encoding="utf-8")
    return path


def truncate(path: Path, target: Path, *, share: float) -> Path:
    """Write the first part of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def patch_mp4_rotation(path: Path, *, clockwise: int) -> Path:
    """Turn an mp4's display matrix in place, as a phone held sideways writes it."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[clockwise]
    # ISO 14496-12, 8.3.2: tkhd version 0 has 40 bytes before the matrix {a b u, c d v, x y w}.
    values = [cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    return _patch(path, b"tkhd", offset=4 + 40, data=struct.pack(">9i", *values))


def patch_mkv_duration(path: Path, *, seconds: float) -> Path:
    """Write another duration into a Matroska header; the blocks stay as they are."""
    # EBML id 4489, size 8, then a double in milliseconds.
    return _patch(path, b"\x44\x89\x88", offset=3, data=struct.pack(">d", 1000 * seconds))


def patch_avi_length(path: Path, *, num_frames: int) -> Path:
    """Write another frame count into an AVI's main and stream headers."""
    data = struct.pack("<I", num_frames)
    _patch(path, b"avih", offset=8 + 16, data=data)
    return _patch(path, b"strh", offset=8 + 32, data=data)


def write_png_bomb(path: Path, *, width: int = 20_000, height: int = 20_000) -> Path:
    """Write a PNG of a few bytes whose header declares far more pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks))
    return path


def noise_picture(seed: int = 0, *, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return smooth coloured noise, (height, width, 3) RGB uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    blurred: NDArray[np.uint8] = cv2.GaussianBlur(noise, (0, 0), 2)
    return blurred


def write_still(path: Path, pixels: NDArray[np.generic]) -> Path:
    """Write any array that OpenCV encodes: grey, RGB(A), 8 or 16 bits."""
    swap = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, swap[pixels.shape[2]])
    is_encoded, encoded = cv2.imencode(path.suffix, pixels)
    assert is_encoded
    path.write_bytes(encoded.tobytes())
    return path


def write_jpeg_with_orientation(path: Path, pixels: NDArray[np.uint8], *, orientation: int) -> Path:
    """Write a JPEG with an EXIF orientation of 1 to 8."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 100]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    data = encoded.tobytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + b"\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    app1 = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    path.write_bytes(data[:2] + app1 + data[2:])
    return path


MOTION_PHOTOS = ("google.jpg", "samsung.jpg", "nothing-said.jpg", "google.avif", "samsung.avif")
"""Makers of photographs with a video behind them, and the format of the still."""


def write_motion_photo(path: Path, pixels: NDArray[np.uint8], clip: Path, *, maker: str) -> Path:
    """Write a photograph with a video behind it, one of `MOTION_PHOTOS`."""
    video = clip.read_bytes()
    with tempfile.NamedTemporaryFile(suffix=maker[-5:]) as still:
        xmp = f'<x GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(video)}"/>'.encode()
        more = {"xmp": xmp} if maker.startswith("google") else {}
        Image.fromarray(pixels).save(still.name, quality=95, **more)
        data = Path(still.name).read_bytes()
    if maker.endswith("avif"):
        data += struct.pack(">I4s", 8 + len(video), b"mpvd") + video
    elif maker.startswith("samsung"):
        data += b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + video
    else:
        data += video
    if maker.startswith("samsung"):
        data += b"SEFH\x6a\0\0\0\1\0\0\0" + bytes(12) + b"\x18\0\0\0SEFT"
    path.write_bytes(data)
    return path


def write_byte_files(folder: Path, *names: str) -> Path:
    """Write files of one byte, for what only looks at names; return the folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def write_dng(
    path: Path, pixels: NDArray[np.uint8], *, orientation: int = 1, is_monochrome: bool = False
) -> Path:
    """Write a raw photograph: a mosaic of red, green and blue in 16 bits, or grey (DNG 1.4)."""
    height, width, _ = pixels.shape
    light = np.round(65535 * (pixels / 255.0) ** 2.2).astype(np.uint16)
    mosaic = light[:, :, 1].copy()
    if not is_monochrome:
        mosaic[::2, ::2], mosaic[1::2, 1::2] = light[::2, ::2, 0], light[1::2, 1::2, 2]
    matrix = [3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570]
    pairs = [part for value in matrix for part in (round(value * 10_000), 10_000)]
    fields: dict[int, tuple[int, int, bytes]] = {
        254: (4, 1, struct.pack("<I", 0)),
        256: (4, 1, struct.pack("<I", width)),
        257: (4, 1, struct.pack("<I", height)),
        258: (3, 1, struct.pack("<H", 16)),
        259: (3, 1, struct.pack("<H", 1)),
        262: (3, 1, struct.pack("<H", 32803)),
        271: (2, 5, b"Test\0"),
        272: (2, 7, b"Camera\0"),
        273: (4, 1, b""),
        274: (3, 1, struct.pack("<H", orientation)),
        277: (3, 1, struct.pack("<H", 1)),
        278: (4, 1, struct.pack("<I", height)),
        279: (4, 1, struct.pack("<I", 2 * width * height)),
        33421: (3, 2, struct.pack("<HH", 2, 2)),
        33422: (1, 4, bytes((0, 1, 1, 2))),
        50706: (1, 4, bytes((1, 4, 0, 0))),
        50708: (2, 12, b"Test Camera\0"),
        50717: (4, 1, struct.pack("<I", 65535)),
        50721: (10, 9, struct.pack("<18i", *pairs)),
        50728: (5, 3, struct.pack("<6I", *(1, 1) * 3)),
        50778: (3, 1, struct.pack("<H", 21)),
    }
    if is_monochrome:
        fields[262] = (3, 1, struct.pack("<H", 34892))  # LinearRaw
        for tag in (33421, 33422, 50721, 50728, 50778):  # of colours
            del fields[tag]
    path.write_bytes(_tiff_file(fields, mosaic.tobytes()))
    return path


def _tiff_file(fields: dict[int, tuple[int, int, bytes]], pixels: bytes) -> bytes:
    """Return a TIFF of one directory; where its pixels begin is filled in."""
    start = 8 + 2 + 12 * len(fields) + 4
    long = {tag: data for tag, (_, _, data) in fields.items() if len(data) > 4}
    places, end = {}, start
    for tag, data in long.items():
        places[tag], end = end, end + len(data) + len(data) % 2
    entries = b""
    for tag, (kind, count, data) in sorted(fields.items()):
        short = struct.pack("<I", places[tag]) if tag in places else data.ljust(4, b"\0")
        value = struct.pack("<I", end) if tag == 273 else short
        entries += struct.pack("<HHI", tag, kind, count) + value
    padded = b"".join(data + bytes(len(data) % 2) for data in long.values())
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + padded + pixels


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Give up root's right to read everything for the length of the block."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def readable_folder() -> Iterator[Path]:
    """Yield a temporary folder that every user may enter; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _mux_silence(
    container: av.container.OutputContainer, stream: av.AudioStream, *, seconds: float
) -> None:
    samples = np.zeros((1, int(16000 * seconds)), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate = 16000
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _patch(path: Path, box: bytes, *, offset: int, data: bytes) -> Path:
    content = bytearray(path.read_bytes())
    at = content.index(box) + offset
    content[at : at + len(data)] = data
    path.write_bytes(content)
    return path


def _png_chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum
