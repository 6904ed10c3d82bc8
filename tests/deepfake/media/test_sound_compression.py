"""Sound comes back from each codec in its place, as long as it was, and poorer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate

from deepfake.errors import DecodeError, UnsupportedMediaError
from deepfake.media import sound_compression
from deepfake.media.sound_compression import available_sound_codecs, pass_through_codec
from tests.sound_factory import make_speech, make_tone

_LIKENESS = {"amr_nb": 0.5, "opus": 0.9}
"""Correlation with the input, at least, of codecs that keep no waveform; 0.95 of the others."""


def _lag(changed: np.ndarray, samples: np.ndarray) -> int:
    """Return by how many samples a window comes later than it did."""
    return int(np.argmax(correlate(changed, samples, method="fft"))) - len(samples) + 1


def _share_above(samples: np.ndarray, hz: float) -> float:
    power = np.square(np.abs(np.fft.rfft(samples)))
    return float(power[round(hz * len(samples) / 16_000) :].sum() / power.sum())


@pytest.mark.parametrize("codec", available_sound_codecs())
def test_sound_stays_in_its_place(codec: str) -> None:
    samples = make_speech(2.0)
    before = samples.copy()
    changed = pass_through_codec(samples, codec=codec)
    assert changed.dtype == np.float32
    assert changed.shape == samples.shape
    assert abs(_lag(changed, samples)) <= 3
    assert np.corrcoef(changed, samples)[0, 1] > _LIKENESS.get(codec, 0.95)
    assert not np.array_equal(changed, samples)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(
    ("codec", "rate"), [("aac", 44_100), ("aac", 22_050), ("mp3", 44_100), ("opus", 48_000)]
)
def test_another_rate_has_another_delay(codec: str, rate: int) -> None:
    samples = make_speech(2.0, seed=3)
    changed = pass_through_codec(samples, codec=codec, bit_rate=48_000, rate=rate)
    assert abs(_lag(changed, samples)) <= 1
    assert np.corrcoef(changed, samples)[0, 1] > 0.95


@pytest.mark.parametrize("codec", ["a_law", "amr_nb", "mu_law"])
def test_telephones_lose_the_upper_band(codec: str) -> None:
    if codec not in available_sound_codecs():
        pytest.skip("this build of FFmpeg lacks it")
    samples = make_speech(2.0)
    assert _share_above(samples, 4100) > 0.02
    assert _share_above(pass_through_codec(samples, codec=codec), 4100) < 0.001


@pytest.mark.parametrize(
    ("codec", "low", "high"), [("mp3", 16_000, 96_000), ("aac", 16_000, 64_000)]
)
def test_fewer_bits_lose_more(codec: str, low: int, high: int) -> None:
    samples = make_speech(2.0)
    errors = [
        float(np.square(pass_through_codec(samples, codec=codec, bit_rate=b) - samples).mean())
        for b in (low, high)
    ]
    assert errors[0] > 2 * errors[1]


@pytest.mark.parametrize("codec", available_sound_codecs())
def test_equal_sound_gives_equal_sound(codec: str) -> None:
    samples = make_speech(0.5)
    one, other = (pass_through_codec(samples, codec=codec) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("codec", available_sound_codecs())
def test_silence_short_and_loud_windows_survive(codec: str) -> None:
    silence = pass_through_codec(np.zeros(8000, np.float32), codec=codec)
    assert float(np.abs(silence).max()) < 1e-3
    for num in (0, 1, 100):
        changed = pass_through_codec(make_tone()[:num], codec=codec)
        assert changed.shape == (num,)
        assert np.isfinite(changed).all()
    loud = pass_through_codec(np.sign(make_tone(seconds=0.5)).astype(np.float32), codec=codec)
    assert 0.5 < float(np.abs(loud).max()) <= 1.0


def test_an_unknown_codec_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnsupportedMediaError, match=r"'wax' here; there are a_law, aac"):
        pass_through_codec(make_tone(), codec="wax")


def test_a_rate_that_a_codec_does_not_have_is_an_error() -> None:
    with pytest.raises(DecodeError, match="compressing sound"):
        pass_through_codec(make_tone(), codec="opus", rate=44_100)


def test_a_codec_that_the_build_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs: dict[str, Any] = {
        **sound_compression._CODECS,
        "speex": sound_compression._Codec("no_such_encoder", "libspeex", 8_000),
    }
    monkeypatch.setattr(sound_compression, "_CODECS", codecs)
    assert "speex" not in available_sound_codecs()
    with pytest.raises(UnsupportedMediaError, match="no sound codec 'speex'"):
        pass_through_codec(make_tone(), codec="speex")


def test_what_every_build_has_is_there() -> None:
    # FFmpeg's own encoders.
    assert {"a_law", "aac", "g722", "mu_law", "sbc", "vorbis"} <= set(available_sound_codecs())
