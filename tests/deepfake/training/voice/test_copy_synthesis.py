"""A copy of speech says what the original does, as loud and as long, in another waveform."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.errors import ConfigError
from deepfake.media.sound_codec import decode_sound, encode_sound
from deepfake.training.voice import vocoder_copies
from deepfake.training.voice.copy_synthesis import (
    COPY_KINDS,
    available_copy_kinds,
    synthesise_copy,
)
from deepfake.training.voice.phase_copies import griffin_lim
from deepfake.training.voice.spectrograms import (
    StftSize,
    inverse_stft,
    mel_bands,
    mel_expansion,
    stft,
)
from tests.sound_factory import dominant_hz, make_speech, make_tone, make_vowels

_SIZE = StftSize(512, 128)
_KEEPS_PHASES = ("bandwidth_extension", "random_phase", "zero_insertion")
_SEEDS = range(4)


def _copy(samples: np.ndarray, kind: str, seed: int = 0) -> np.ndarray:
    return synthesise_copy(samples, kind=kind, rng=np.random.default_rng(seed))


def _log_mel(samples: np.ndarray) -> np.ndarray:
    """Return the log of mel bands of power up to 3.7 kHz, smoothed over 40 ms, shape (F, 28).

    Nothing is under -40 dB of the loudest.
    """
    power = np.square(np.abs(stft(samples, _SIZE))) @ mel_bands(512, num_mels=40)[:28].T
    smooth = np.stack([np.convolve(band, np.full(5, 0.2), "same") for band in power.T], axis=1)
    return np.asarray(np.log(smooth + 1e-4 * smooth.max()))


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(_log_mel(one) - _log_mel(other)).mean())


def _level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


@pytest.mark.parametrize("kind", available_copy_kinds())
def test_content_is_kept_and_the_waveform_is_not(kind: str) -> None:
    speech = make_speech(2.0)
    # Other vowels by the same voice, in the same rhythm.
    apart = _distance(speech, make_speech(2.0, seed=5))
    for seed in _SEEDS:
        copy = _copy(speech, kind, seed)
        assert _distance(copy, speech) < 0.7 * apart
        assert float(np.abs(copy - speech).max()) > 0.003
        if kind not in _KEEPS_PHASES:
            assert abs(np.corrcoef(copy, speech)[0, 1]) < 0.6


@pytest.mark.parametrize("kind", available_copy_kinds())
def test_a_copy_is_as_long_and_as_loud(kind: str) -> None:
    speech = make_speech(1.3)[:20_011]
    before = speech.copy()
    for seed in _SEEDS:
        copy = _copy(speech, kind, seed)
        assert copy.shape == speech.shape
        assert copy.dtype == np.float32
        assert np.isfinite(copy).all()
        assert float(np.abs(copy).max()) <= 1.0
        assert _level_db(copy) == pytest.approx(_level_db(speech), abs=0.3)
    np.testing.assert_array_equal(speech, before)


@pytest.mark.parametrize("kind", available_copy_kinds())
def test_storing_a_copy_as_originals_are_stored_changes_nothing(kind: str) -> None:
    copy = _copy(make_speech(0.6), kind)
    np.testing.assert_array_equal(decode_sound(encode_sound(copy)), copy)


@pytest.mark.parametrize("kind", available_copy_kinds())
def test_copies_follow_the_seed(kind: str) -> None:
    speech = make_speech(0.6)
    copies = [_copy(speech, kind, seed) for seed in range(3)]
    assert len({copy.tobytes() for copy in copies}) == 3
    np.testing.assert_array_equal(copies[1], _copy(speech, kind, 1))


@pytest.mark.parametrize("kind", available_copy_kinds())
def test_silent_and_short_windows_survive(kind: str) -> None:
    np.testing.assert_array_equal(_copy(np.zeros(8000, np.float32), kind), 0.0)
    half = np.concatenate([np.zeros(6000, np.float32), make_vowels(0.5)])
    assert np.isfinite(_copy(half, kind)).all()
    for num in (2, 63, 700) if kind != "world" else (700,):
        copy = _copy(make_tone(hz=300.0)[:num], kind)
        assert copy.shape == (num,)
        assert np.isfinite(copy).all()


def test_griffin_lim_finds_phases_that_fit_the_magnitudes() -> None:
    speech, sizes = make_speech(1.0), StftSize(1024, 256)
    wanted = np.abs(stft(speech, sizes))

    def misfit(sound: np.ndarray) -> float:
        return float(np.linalg.norm(np.abs(stft(sound, sizes)) - wanted) / np.linalg.norm(wanted))

    angles = np.random.default_rng(0).uniform(-np.pi, np.pi, wanted.shape)
    spectra = (wanted * np.exp(1j * angles)).astype(np.complex64)
    random = misfit(inverse_stft(spectra, sizes, num_samples=len(speech)))
    found = [misfit(griffin_lim(speech, rng=np.random.default_rng(seed))) for seed in range(6)]
    assert max(found) < 0.7 * random
    assert min(found) < 0.4 * random


def test_the_vocoder_keeps_the_pitch_and_hisses_where_there_is_none() -> None:
    def periodicity(sound: np.ndarray) -> float:
        middle = sound[2000:10_000]
        likeness = np.correlate(middle, middle, "full")[len(middle) - 1 :]
        return float(likeness[110:160].max() / likeness[0])  # 100 to 145 Hz

    vowels = make_vowels(0.8)
    assert periodicity(vowels) > 0.3
    assert periodicity(_copy(vowels, "lpc")) > 0.3
    hiss = np.random.default_rng(0).normal(0, 0.1, 12_800).astype(np.float32)
    assert periodicity(_copy(hiss, "lpc")) < 0.2


def test_the_upper_band_of_an_extension_comes_from_the_lower() -> None:
    tone = make_tone(hz=3500.0, seconds=1.0)
    found = set()
    for seed in range(40):
        copy = _copy(tone, "bandwidth_extension", seed)
        assert dominant_hz(copy) == pytest.approx(3500, abs=2)
        upper = np.abs(np.fft.rfft(copy))
        upper[:4000] = 0.0
        if upper.max() > 0.05 * len(tone) * 0.25:  # a line and no noise
            found.add(int(np.argmax(upper)))
    assert found == {4500, 6500, 7500}  # of cuts at 4, 5 and 5.5 kHz; at 6 it is above 8


def test_zero_insertion_leaves_images_at_multiples_of_a_stride() -> None:
    tone = make_tone(hz=500.0, seconds=1.0)
    power = np.mean(
        [np.square(np.abs(np.fft.rfft(_copy(tone, "zero_insertion", s)))) for s in range(24)],
        axis=0,
    )
    floor = float(np.median(power))
    for hz in (7500, 3500, 4500, 1500, 2500):  # about 8, 4 and 2 kHz
        assert power[hz] > 100 * floor
    assert power[3777] < 10 * floor


@pytest.mark.parametrize("size", [StftSize(512, 128), StftSize(768, 96), StftSize(1024, 512)])
@pytest.mark.parametrize("num", [1, 511, 16_000])
def test_spectra_bring_back_their_sound(size: StftSize, num: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, num).astype(np.float32)
    again = inverse_stft(stft(samples, size), size, num_samples=num)
    np.testing.assert_allclose(again, samples, atol=1e-5)


@pytest.mark.parametrize(("window", "num_mels"), [(512, 40), (512, 100), (2048, 80)])
def test_mel_bands_hold_every_bin_and_expand_to_themselves(window: int, num_mels: int) -> None:
    bands = mel_bands(window, num_mels=num_mels)
    assert bands.shape == (num_mels, window // 2 + 1)
    assert float(bands.min()) >= 0
    assert (bands.max(axis=1) > 0.3).all()
    assert (bands[:, 1:-1].sum(axis=0) > 0).all()
    spectrum = np.linspace(2, 1, window // 2 + 1)
    mels = bands @ spectrum
    again = bands @ (mel_expansion(window, num_mels=num_mels) @ mels)
    np.testing.assert_allclose(again, mels, rtol=0.02)


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ConfigError, match="no kind of copy 'parrot'; there are bandwidth_ext"):
        _copy(make_tone(), "parrot")


def test_a_missing_vocoder_is_not_drawn_and_is_refused_with_a_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vocoder_copies, "find_spec", lambda name: None)
    assert set(available_copy_kinds()) == set(COPY_KINDS) - {"world"}
    with pytest.raises(ConfigError, match="pyworld, which is not installed") as caught:
        _copy(make_tone(), "world")
    assert "pip install pyworld" in str(caught.value.hint)
