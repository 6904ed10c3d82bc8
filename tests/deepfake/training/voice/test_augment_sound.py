"""Each change of a window does what its name says; none changes its length or knows its class."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from deepfake.config import SoundAugmentConfig
from deepfake.training.voice.augment import augment_sound
from tests.sound_factory import dominant_hz, make_speech, make_tone

_STEPS = [name for name in SoundAugmentConfig.model_fields if name.endswith("_p")]


def _only(**changes: Any) -> SoundAugmentConfig:
    return SoundAugmentConfig(**{**dict.fromkeys(_STEPS, 0.0), **changes})


def _augmented(samples: np.ndarray, seed: int = 0, **changes: Any) -> np.ndarray:
    return augment_sound(samples, config=_only(**changes), rng=np.random.default_rng(seed))


def _power(samples: np.ndarray) -> float:
    return float(np.square(samples, dtype=np.float64).mean())


def _band_db(samples: np.ndarray, low: float, high: float) -> float:
    spectrum = np.square(np.abs(np.fft.rfft(samples)))
    hz = np.fft.rfftfreq(len(samples), 1 / 16_000)
    return float(10 * np.log10(spectrum[(hz >= low) & (hz < high)].mean() + 1e-12))


def _white(num: int = 64_000) -> np.ndarray:
    return np.random.default_rng(9).normal(0, 0.1, num).astype(np.float32)


@pytest.mark.parametrize("step", _STEPS)
def test_each_change_changes_keeps_the_length_and_follows_the_seed(step: str) -> None:
    samples = make_speech(1.0)
    before = samples.copy()
    found = [_augmented(samples, seed, **{step: 1.0}) for seed in range(8)]
    for seed, changed in enumerate(found):
        assert changed.shape == samples.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert float(np.abs(changed).max()) <= 1.0
        np.testing.assert_array_equal(changed, _augmented(samples, seed, **{step: 1.0}))
    assert sum(not np.array_equal(changed, samples) for changed in found) >= 7  # speed may be 1
    if step != "telephone_p":  # it has one band
        assert len({changed.tobytes() for changed in found}) >= 7
    np.testing.assert_array_equal(samples, before)


def test_nothing_is_done_without_probabilities_or_where_it_is_off() -> None:
    samples, rng = make_speech(1.0), np.random.default_rng(0)
    np.testing.assert_array_equal(_augmented(samples), samples)
    off = SoundAugmentConfig(is_enabled=False, noise_p=1.0, level_p=1.0)
    np.testing.assert_array_equal(augment_sound(samples, config=off, rng=rng), samples)


def test_all_at_once_never_breaks_a_window() -> None:
    config, rng = SoundAugmentConfig(**dict.fromkeys(_STEPS, 1.0)), np.random.default_rng(4)
    windows = [make_speech(1.0), np.zeros(8000, np.float32), np.ones(777, np.float32)]
    windows += [make_tone()[:num] for num in (0, 1, 2, 50)]
    windows.append(np.full(4000, 1e-30, np.float32))
    for samples in windows:
        for _ in range(9):
            changed = augment_sound(samples, config=config, rng=rng)
            assert changed.shape == samples.shape
            assert np.isfinite(changed).all()
            assert not len(changed) or float(np.abs(changed).max()) <= 1.0


def test_the_function_knows_no_label() -> None:
    assert set(inspect.signature(augment_sound).parameters) == {"samples", "config", "rng"}


def test_one_draw_does_not_depend_on_another() -> None:
    samples = _white()
    quiet = {"level_p": 1.0, "level_db": (-20.0, -10.0)}
    plain = _augmented(samples, 5, **quiet)
    banded = _augmented(samples, 5, **quiet, low_pass_p=1.0, low_pass_hz=(7400.0, 7500.0))
    assert _band_db(plain, 100, 3000) == pytest.approx(_band_db(banded, 100, 3000), abs=0.1)


@pytest.mark.parametrize("snr_db", [8.0, 20.0, 45.0])
def test_noise_has_the_power_asked_for(snr_db: float) -> None:
    samples = make_speech(2.0)
    noise = _augmented(samples, noise_p=1.0, snr_db=(snr_db, snr_db)) - samples
    assert 10 * np.log10(_power(samples) / _power(noise)) == pytest.approx(snr_db, abs=0.1)


def test_noise_has_many_colours() -> None:
    quiet = np.full(64_000, 1e-4, np.float32)
    loud = {"noise_p": 1.0, "snr_db": (-40.0, -40.0)}
    slopes = [
        _band_db(noise, 100, 400) - _band_db(noise, 4000, 8000)
        for noise in (_augmented(quiet, seed, **loud) for seed in range(16))
    ]
    assert min(slopes) < 0
    assert max(slopes) > 20


def test_low_and_high_pass_cut_what_is_outside() -> None:
    samples = _white()
    low = _augmented(samples, low_pass_p=1.0, low_pass_hz=(3000.0, 3000.0))
    assert _band_db(low, 500, 2000) == pytest.approx(_band_db(samples, 500, 2000), abs=1.0)
    assert _band_db(low, 6500, 8000) < _band_db(samples, 6500, 8000) - 12
    high = _augmented(samples, high_pass_p=1.0, high_pass_hz=(300.0, 300.0))
    assert _band_db(high, 1000, 8000) == pytest.approx(_band_db(samples, 1000, 8000), abs=1.0)
    assert _band_db(high, 10, 80) < _band_db(samples, 10, 80) - 9
    call = _augmented(samples, telephone_p=1.0)
    assert _band_db(call, 10, 150) < _band_db(samples, 10, 150) - 15
    assert _band_db(call, 500, 3000) == pytest.approx(_band_db(samples, 500, 3000), abs=1.0)
    assert _band_db(call, 5000, 8000) < _band_db(samples, 5000, 8000) - 15


def test_the_equaliser_tilts_and_keeps_the_level() -> None:
    samples = _white()
    tilts = []
    for seed in range(12):
        changed = _augmented(samples, seed, equalise_p=1.0, tilt_db=6.0, peak_db=0.0)
        assert _power(changed) == pytest.approx(_power(samples), rel=0.02)
        tilts.append(_band_db(changed, 3800, 4200) - _band_db(changed, 475, 525))  # 3 octaves
    assert -19 < min(tilts) < -6
    assert 6 < max(tilts) < 19


def test_a_room_fills_pauses_for_its_rt60() -> None:
    click = np.zeros(16_000, np.float32)
    click[1000] = 0.9
    room = {"reverb_p": 1.0, "direct_db": (0.0, 0.0), "rt60_seconds": (0.5, 0.5)}
    heard = np.mean([np.square(_augmented(click, seed, **room)) for seed in range(12)], axis=0)
    assert heard[:990].sum() < 1e-6 * heard.sum()
    assert heard[1001:].sum() == pytest.approx(heard[1000], rel=0.3)
    fall = 10 * np.log10(heard[1100:1900].sum() / heard[4300:5100].sum())  # 0.2 seconds later
    assert fall == pytest.approx(60 * 0.2 / 0.5, abs=2.0)


@pytest.mark.parametrize("speed", [0.95, 1.0, 1.05])
def test_speed_changes_the_pitch(speed: float) -> None:
    tone = make_tone(hz=1000.0, seconds=2.0)
    changed = _augmented(tone, speed_p=1.0, speed=(speed, speed))
    assert dominant_hz(changed) == pytest.approx(1000 * speed, abs=2)
    assert np.abs(np.diff(changed)).max() < 1.2 * speed * np.abs(np.diff(tone)).max()  # no click


def test_level_is_a_gain_and_clips_at_full_scale() -> None:
    samples = make_speech(1.0)
    quiet = _augmented(samples, level_p=1.0, level_db=(-20.0, -20.0))
    np.testing.assert_allclose(quiet, samples / 10, rtol=1e-5)
    loud = _augmented(samples, level_p=1.0, level_db=(12.0, 12.0))
    assert float(np.abs(loud).max()) == 1.0
    clipped = _augmented(samples, clip_p=1.0, clip_share=(0.4, 0.4))
    limit = 0.4 * float(np.abs(samples).max())
    np.testing.assert_allclose(clipped, samples.clip(-limit, limit), rtol=1e-5)


def test_compression_is_one_of_many() -> None:
    samples = make_speech(0.5)
    tops = {round(_band_db(_augmented(samples, s, codec_p=1.0), 5000, 7000)) for s in range(30)}
    assert len(tops) > 5
    assert max(tops) - min(tops) > 30  # telephones and all else


def test_ranges_ascend() -> None:
    with pytest.raises(ValidationError, match="snr_db must ascend, got 45 to 8"):
        SoundAugmentConfig(snr_db=(45.0, 8.0))
    with pytest.raises(ValidationError, match="noise_p"):
        SoundAugmentConfig(noise_p=1.5)
