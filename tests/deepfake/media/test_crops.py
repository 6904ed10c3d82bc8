"""Encoding and decoding crops."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.config import CropConfig
from deepfake.errors import DecodeError, UnsupportedMediaError
from deepfake.media import decode_crop, encode_crop
from tests.media_factory import noise_picture


def test_png_gives_the_pixels_back() -> None:
    pixels = noise_picture(1, width=256, height=256)
    encoded = encode_crop(pixels, config=CropConfig(codec="png"))
    assert encoded.startswith(b"\x89PNG")
    assert np.array_equal(decode_crop(encoded), pixels)


def test_jpeg_keeps_chroma_at_full_resolution() -> None:
    encoded = encode_crop(noise_picture(1), config=CropConfig())
    at = encoded.index(b"\xff\xc0")  # baseline frame header: components from byte 9 on
    sampling = [encoded[at + 11 + 3 * component] for component in range(3)]
    assert sampling == [0x11, 0x11, 0x11]


def test_jpeg_is_near_and_quality_matters() -> None:
    pixels = noise_picture(1, width=256, height=256)
    errors, sizes = [], []
    for quality in (40, 95):
        encoded = encode_crop(pixels, config=CropConfig(quality=quality))
        errors.append(np.abs(decode_crop(encoded).astype(int) - pixels).mean())
        sizes.append(len(encoded))
    assert errors[1] < 1.5 < errors[0]
    assert sizes[0] < sizes[1]


def test_channels_keep_their_order() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 250
    decoded = decode_crop(encode_crop(red, config=CropConfig()))
    assert decoded[..., 0].mean() > 240 > 10 > decoded[..., 2].mean()


def test_a_view_is_read_where_it_lies() -> None:
    encoded = encode_crop(noise_picture(1), config=CropConfig())
    padded = memoryview(b"xx" + encoded + b"yy")[2:-2]
    assert np.array_equal(decode_crop(padded), decode_crop(encoded))


def test_the_input_is_not_changed() -> None:
    pixels = noise_picture(1)
    pixels.flags.writeable = False
    encode_crop(pixels, config=CropConfig())
    assert np.array_equal(pixels, noise_picture(1))


def test_broken_bytes_are_an_error() -> None:
    encoded = encode_crop(noise_picture(1), config=CropConfig())
    for broken in (b"", b"no picture", encoded[: len(encoded) // 2]):
        with pytest.raises(DecodeError, match="bytes are not a complete"):
            decode_crop(broken)


def test_other_shapes_are_refused() -> None:
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)):
        with pytest.raises(UnsupportedMediaError, match="uint8"):
            encode_crop(wrong, config=CropConfig())
