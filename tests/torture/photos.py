"""What phones, cameras and scanners write, whole and broken."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deepfake.media import write_video
from tests.media_factory import patch_mp4_rotation, write_dng, write_motion_photo
from tests.sample_data import clip_frames, face_close_up, landscape
from tests.torture.bad_file import Kind, Outside
from tests.torture.stills import face_jpeg
from tests.torture.videos import face_clip, patched

__all__ = ["PHOTOS"]


def saved(name: str, *, pages: int = 1, side: int = 256, **options: Any) -> bytes:
    """Return a face as Pillow writes it in a format, or several pages or frames of it."""
    import pillow_heif
    import pillow_jxl  # noqa: F401 - importing it registers the format

    pillow_heif.register_heif_opener()
    pictures = [Image.fromarray(np.roll(face_close_up(side), 2 * i, 1)) for i in range(pages)]
    more = {"save_all": True, "append_images": pictures[1:]} if pages > 1 else {}
    stream = io.BytesIO()
    pictures[0].save(stream, name, **more, **options)
    return stream.getvalue()


def _saved(name: str, **options: Any) -> Callable[[Path, Outside], object]:
    return lambda path, _: path.write_bytes(saved(name, **options))


def _cut(name: str, share: float, **options: Any) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        data = saved(name, **options)
        path.write_bytes(data[: int(share * len(data))])

    return write


def _changed(
    name: str, what: bytes, value: bytes, *, offset: int, **options: Any
) -> Callable[[Path, Outside], object]:
    """Return what writes a picture with other bytes so far behind a word."""
    return lambda path, _: path.write_bytes(
        patched(saved(name, **options), what, offset=offset, value=value)
    )


_HUGE = struct.pack(">II", 60_000, 60_000)


def _motion(
    maker: str, *, still: Any = None, share: float = 1.0
) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        clip = face_clip(path.with_suffix(".part.mp4"))
        data = clip.read_bytes()
        clip.write_bytes(data[: int(share * len(data))])
        write_motion_photo(path, face_close_up() if still is None else still, clip, maker=maker)
        clip.unlink()

    return write


def _dng(**options: Any) -> Callable[[Path, Outside], object]:
    return lambda path, _: write_dng(path, face_close_up(), **options)


def _dng_bomb(path: Path, _: Outside) -> None:
    data = bytearray(write_dng(path, face_close_up()).read_bytes())
    for tag in (256, 257):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        data[at : at + 4] = struct.pack("<I", 60_000)
    path.write_bytes(data)


def _cut_dng(path: Path, _: Outside) -> None:
    data = write_dng(path, face_close_up()).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _jxl_bomb(path: Path, _: Outside) -> None:
    """Write a header of 2^30 x 2^30 pixels: a number of 30 bits, then the ratio 1 / 1."""
    bits = 0b110 | (2**30 - 1) << 3 | 1 << 33
    path.write_bytes(b"\xff\x0a" + struct.pack("<Q", bits) + bytes(99))


def _animated_jxl(path: Path, _: Outside) -> None:
    """Write the header of an animation of 256 x 200 (ISO/IEC 18181-1, annex D)."""
    bits = 1 | 24 << 1 | 31 << 9 | 1 << 15 | 1 << 21
    path.write_bytes(b"\xff\x0a" + struct.pack("<Q", bits) + bytes(99))


def _hdr(path: Path, transfer: str) -> None:
    colours = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    options = {"x265-params": colours}
    face_clip(path, codec="libx265", pixel_format="yuv420p10le", options=options)


def _clip_with(what: bytes, value: bytes, *, offset: int) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        data = face_clip(path).read_bytes()
        path.write_bytes(patched(data, what, offset=offset, value=value))

    return write


def _sideways(path: Path, _: Outside) -> None:
    frames = [np.rot90(pixels, 1).copy() for pixels in clip_frames(16, side=192)]
    patch_mp4_rotation(write_video(path, frames, fps=25), clockwise=90)


def _float_tiff(path: Path, _: Outside) -> None:
    Image.fromarray(face_close_up()[:, :, 0].astype(np.float32)).save(path)


def _jpeg_with(marker: int) -> Callable[[Path, Outside], None]:
    """Return what writes a JPEG whose frame header is of another process."""

    def write(path: Path, _: Outside) -> None:
        data = bytearray(face_jpeg())
        data[data.index(b"\xff\xc0") + 1] = marker
        path.write_bytes(data)

    return write


def _ringed_tiff(path: Path, _: Outside) -> None:
    """Write pages of which the last one names the first again."""
    data = bytearray(saved("TIFF", pages=2, side=96))
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    at = first
    while at:
        (count,) = struct.unpack_from(f"{order}H", data, at)
        end = at + 2 + 12 * count
        (at,) = struct.unpack_from(f"{order}I", data, end)
    struct.pack_into(f"{order}I", data, end, first)
    path.write_bytes(data)


def _webp_of_many(path: Path, _: Outside) -> None:
    """Write an animation of frames that only declare to be there."""
    data = saved("WEBP", pages=2, duration=40, lossless=True)
    at = data.index(b"ANMF")
    path.write_bytes(data[:at] + 200_000 * (b"ANMF" + struct.pack("<I", 16) + bytes(16)))


PHOTOS = [
    Kind("photos/a.heic", "ok", _saved("HEIF", quality=90)),
    Kind("photos/a.avif", "ok", _saved("AVIF", quality=80)),
    Kind("photos/a.jxl", "ok", _saved("JXL", effort=1)),
    Kind("photos/lossless.jxl", "ok", _saved("JXL", effort=1, lossless=True)),
    Kind("photos/animated.avif", "ok", _saved("AVIF", pages=6, duration=80)),
    Kind("photos/animated.jxl", "unsupported", _animated_jxl),
    Kind("photos/cut.heic", "decode_error", _cut("HEIF", 0.6)),
    Kind("photos/cut.avif", "decode_error", _cut("AVIF", 0.6)),
    Kind("photos/cut.jxl", "decode_error", _cut("JXL", 0.5, effort=1)),
    Kind("photos/cut-animation.webp", "ok decode_error", _cut("WEBP", 0.6, pages=6)),
    Kind("photos/cut.dng", "decode_error", _cut_dng),
    Kind("photos/bomb.heic", "too_large decode_error", _changed("HEIF", b"ispe", _HUGE, offset=8)),
    Kind("photos/bomb.avif", "too_large decode_error", _changed("AVIF", b"ispe", _HUGE, offset=8)),
    Kind("photos/bomb.jxl", "too_large", _jxl_bomb),
    Kind("photos/bomb.dng", "too_large", _dng_bomb),
    Kind(
        "photos/animated-bomb.webp",
        "too_large",
        _changed("WEBP", b"VP8X", b"\xff" * 6, offset=12, pages=2),
    ),
    Kind("photos/frames-of-nothing.webp", "decode_error", _webp_of_many),
    Kind("photos/raw.dng", "ok", _dng()),
    Kind("photos/turned.dng", "ok no_face", _dng(orientation=6)),
    Kind("photos/linear.tiff", "unsupported", _float_tiff),
    Kind("photos/pages.tiff", "ok", _saved("TIFF", pages=3)),
    Kind("photos/ring-of-pages.tiff", "ok no_face", _ringed_tiff),
    Kind("photos/many-pages.tiff", "ok", _saved("TIFF", pages=20, side=128)),
    Kind("photos/several.mpo", "ok", _saved("MPO", pages=2)),
    Kind("photos/google.jpg", "ok", _motion("google.jpg")),
    Kind("photos/samsung.jpg", "ok", _motion("samsung.jpg")),
    Kind("photos/google.avif", "ok", _motion("google.avif")),
    # Training looks at the still alone.
    Kind("photos/only-in-the-video.jpg", "ok no_face", _motion("samsung.jpg", still=landscape())),
    Kind("photos/broken-video.jpg", "ok", _motion("google.jpg", share=0.3)),
    Kind("photos/stream.jpg", "ok", lambda path, _: path.write_bytes(8 * face_jpeg(192))),
    Kind("photos/no-end.jpg", "ok", lambda path, _: path.write_bytes(face_jpeg()[:-2])),
    Kind("photos/lossless.jpg", "unsupported", _jpeg_with(0xC3)),
    Kind("photos/hierarchical.jpg", "unsupported", _jpeg_with(0xC5)),
    Kind("photos/icon.ico", "unsupported", _saved("ICO", side=64)),
    Kind("photos/page.jp2", "unsupported", _saved("JPEG2000")),
    Kind("photos/pq.mp4", "ok", lambda path, _: _hdr(path, "smpte2084")),
    Kind("photos/hlg.mp4", "ok", lambda path, _: _hdr(path, "arib-std-b67")),
    Kind("photos/sideways.mp4", "ok", _sideways),
    Kind("photos/encrypted.mp4", "unsupported", _clip_with(b"stsd", b"encv", offset=16)),
    Kind(
        "photos/dolby-alone.mp4",
        "unsupported",
        _clip_with(b"udta", b"dvcC\1\0\x0a\x25\0", offset=0),
    ),
]
