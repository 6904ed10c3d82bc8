"""Windows of sound come back as they went in, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfake.errors import DecodeError, UnsupportedMediaError
from deepfake.media.sound_codec import decode_sound, encode_sound
from tests.sound_factory import make_tone, write_tone


@pytest.mark.parametrize("num", [1, 100, 4096, 64_000])
def test_a_window_comes_back_within_half_a_step(num: int) -> None:
    samples = np.random.default_rng(num).uniform(-1, 1, num).astype(np.float32)
    again = decode_sound(encode_sound(samples))
    assert again.dtype == np.float32
    assert again.shape == samples.shape
    assert float(np.abs(again - samples).max()) <= 0.51 / 32_767


def test_encoding_again_changes_nothing() -> None:
    samples = decode_sound(encode_sound(make_tone()))
    np.testing.assert_array_equal(decode_sound(encode_sound(samples)), samples)
    assert encode_sound(samples) == encode_sound(samples)


def test_a_quiet_window_takes_less_than_its_samples() -> None:
    samples = make_tone(seconds=4.0, level=0.1)
    assert len(encode_sound(samples)) < 0.7 * 2 * len(samples)


def test_what_is_over_full_scale_is_clipped() -> None:
    assert float(decode_sound(encode_sound(make_tone(level=2.0))).max()) == 1.0


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros((2, 10), np.float32), "sound is"),
        (np.zeros(10), "sound is"),
        (np.zeros(0, np.float32), "sound is"),
        (np.array([0.0, np.nan], np.float32), "no numbers"),
    ],
)
def test_what_is_no_window_is_refused(samples: np.ndarray, reason: str) -> None:
    with pytest.raises(UnsupportedMediaError, match=reason):
        encode_sound(samples)


def test_damaged_bytes_are_an_error(tmp_path: Path) -> None:
    encoded = encode_sound(make_tone())
    for damaged in (b"", b"fLaC", b"no sound at all", encoded[: len(encoded) // 2]):
        with pytest.raises(DecodeError):
            decode_sound(damaged)
    other = write_tone(tmp_path / "a.flac", codec="flac", rate=44_100)
    with pytest.raises(DecodeError, match="44100 Hz"):
        decode_sound(other.read_bytes())
