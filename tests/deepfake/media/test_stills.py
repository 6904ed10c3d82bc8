"""Stills: every supported kind becomes upright RGB of 8 bits, or an error."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    MediaError,
    MediaTooLargeError,
    ProbeError,
    UnsupportedMediaError,
)
from deepfake.media import probe_media, read_image, write_image
from tests.media_factory import (
    noise_picture,
    write_clip,
    write_jpeg_with_orientation,
    write_still,
    write_text_clip,
)

LIMITS = MediaLimits()
LOSSLESS = (".png", ".bmp", ".tiff")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".jpg", ".webp", ".gif"])
def test_each_format_gives_its_pixels_in_rgb(tmp_path: Path, suffix: str) -> None:
    pixels = noise_picture(3)
    pixels[:20, :20] = (250, 10, 60)
    path = write_still(tmp_path / f"still{suffix}", pixels)
    frame = read_image(path, limits=LIMITS)
    info = probe_media(path, limits=LIMITS)
    assert (frame.frame_index, frame.pts_seconds) == (0, 0.0)
    assert (info.width, info.height) == (frame.width, frame.height) == (64, 48)
    if suffix in LOSSLESS:
        assert np.array_equal(frame.pixels, pixels)
    else:
        assert np.abs(frame.pixels[8:12, 8:12].mean((0, 1)) - (250, 10, 60)).max() < 40
    assert frame.pixels.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_opencv_does_it(tmp_path: Path, orientation: int) -> None:
    path = write_jpeg_with_orientation(
        tmp_path / "o.jpg", noise_picture(1), orientation=orientation
    )
    expected = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    frame = read_image(path, limits=LIMITS)
    info = probe_media(path, limits=LIMITS)
    assert np.array_equal(frame.pixels, expected)
    assert (info.width, info.height) == (frame.width, frame.height)


def test_an_impossible_orientation_is_passed_over(tmp_path: Path) -> None:
    path = write_jpeg_with_orientation(tmp_path / "o.jpg", noise_picture(1), orientation=77)
    assert read_image(path, limits=LIMITS).width == 64


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_grey_of_16_bits_becomes_rgb_of_8(tmp_path: Path, suffix: str) -> None:
    grey = (noise_picture(2)[..., 0].astype(np.uint16) << 8) + 37
    frame = read_image(write_still(tmp_path / f"g{suffix}", grey), limits=LIMITS)
    assert np.array_equal(frame.pixels, np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, 2))


def test_transparency_is_left_off(tmp_path: Path) -> None:
    alpha = np.full((48, 64, 1), 100, np.uint8)
    path = write_still(tmp_path / "a.png", np.concatenate([noise_picture(4), alpha], axis=2))
    assert np.array_equal(read_image(path, limits=LIMITS).pixels, noise_picture(4))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp", ".gif"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_still_cut_off_is_an_error_not_grey(tmp_path: Path, suffix: str, share: float) -> None:
    path = write_still(tmp_path / f"cut{suffix}", noise_picture(5, width=300, height=200))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises((DecodeError, ProbeError)):
        read_image(path, limits=LIMITS)


def test_any_name_works(tmp_path: Path) -> None:
    path = tmp_path / "Bild 名前 🎬.png"
    write_image(path, noise_picture())
    assert np.array_equal(read_image(path, limits=LIMITS).pixels, noise_picture())


def test_what_is_no_still_is_refused(tmp_path: Path) -> None:
    for path in (write_text_clip(tmp_path / "t.png"), write_clip(tmp_path / "v.png.mp4")):
        with pytest.raises(UnsupportedMediaError, match="JPEG, PNG"):
            read_image(path, limits=LIMITS)


def test_an_unknown_ending_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="xyz"):
        write_image(tmp_path / "a.xyz", noise_picture())
    with pytest.raises(MediaError, match="cannot be written"):
        write_image(tmp_path / "no folder" / "a.png", noise_picture())


def test_a_chunk_that_claims_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    path = write_still(tmp_path / "claims.png", noise_picture())
    data = bytearray(path.read_bytes())
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = b"\x7f\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(ProbeError, match="beyond the end"):
        read_image(path, limits=LIMITS)


def test_endless_segments_are_no_endless_loop(tmp_path: Path) -> None:
    path = tmp_path / "loop.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0\0\0" + b"\xff\xe0\0\0" * 10)
    with pytest.raises(ProbeError, match="length of 0"):
        probe_media(path, limits=LIMITS)


def test_bytes_between_two_parts_of_a_jpeg_are_passed_over_as_decoders_do(tmp_path: Path) -> None:
    data = write_still(tmp_path / "s.jpg", noise_picture()).read_bytes()
    path = tmp_path / "padded.jpg"
    (length,) = struct.unpack_from(">H", data, 4)  # of the first part
    path.write_bytes(data[: 4 + length] + b"\0\1\2" + data[4 + length :])
    assert np.array_equal(
        read_image(path, limits=LIMITS).pixels, read_image(tmp_path / "s.jpg", limits=LIMITS).pixels
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + bytes(2**21),
        b"\xff\xd8" + 2**21 * b"\xff",
        b"\xff\xd8" + 2**20 * b"\xff\xe2\0\2",
        b"\x89PNG\r\n\x1a\n" + 2**20 * (b"\0\0\0\0teXt" + bytes(4)),
        b"GIF89a\1\0\1\0\0\0\0!\xfe" + 2**20 * b"\1\1",
        b"RIFF\0\0\0\0WEBPVP8X\n\0\0\0\x08" + bytes(9) + 2**20 * b"JUNK\0\0\0\0",
    ],
    ids=["zeros", "fill", "segments", "chunks", "blocks", "parts"],
)
def test_a_header_that_does_not_end_is_given_up(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "endless"
    path.write_bytes(data)
    with pytest.raises(ProbeError, match="does not end"):
        probe_media(path, limits=LIMITS)


def _tiff_of(entries: list[tuple[int, int, int]]) -> bytes:
    tags = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)


def test_of_a_size_that_a_tiff_declares_twice_the_first_counts(tmp_path: Path) -> None:
    """That is what the decoder makes room for."""
    path = tmp_path / "two.tiff"
    path.write_bytes(_tiff_of([(256, 4, 30_000), (256, 4, 8), (257, 4, 30_000), (257, 4, 8)]))
    with pytest.raises(MediaTooLargeError, match="30000 x 30000"):
        probe_media(path, limits=LIMITS)
    path.write_bytes(_tiff_of([(256, 16, 30_000), (256, 4, 8), (257, 4, 8)]))
    with pytest.raises(ProbeError, match="declares 0 x 8"):
        probe_media(path, limits=LIMITS)


def test_an_animation_is_refused_by_its_canvas(tmp_path: Path) -> None:
    canvas = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    path = tmp_path / "bomb.gif"
    path.write_bytes(canvas + 3 * picture + b";")
    with pytest.raises(MediaTooLargeError, match="65535 x 65535"):
        probe_media(path, limits=LIMITS)
