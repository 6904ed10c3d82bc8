"""What the networks of lips and sound take, cut out of a run."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.detectors.sync.windows import (
    NUM_BANDS,
    NUM_OFFSETS,
    log_mel,
    mouth_windows,
    shifted_pairs,
    sound_windows,
    sound_windows_known,
)


def test_windows_of_mouths_are_five_successive_ones() -> None:
    mouths = np.random.default_rng(0).integers(0, 256, size=(9, 64, 64), dtype=np.uint8)
    windows = mouth_windows(mouths)
    assert windows.shape == (5, 5, 64, 64)
    np.testing.assert_array_equal(windows[2, 1], windows[0, 3])
    assert float(windows[0].mean()) == pytest.approx(0.0, abs=0.05)
    np.testing.assert_allclose(mouth_windows(mouths // 4), windows, atol=0.05)


def test_a_blank_run_gives_zeros() -> None:
    assert not mouth_windows(np.full((6, 64, 64), 77, np.uint8)).any()


def test_a_click_is_in_the_frame_of_its_moment() -> None:
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    samples[8_080] = 0.9
    bands = log_mel(samples, sound_span=(0, 16_000))
    assert bands.shape == (NUM_BANDS, 100)
    assert int(bands.mean(axis=0).argmax()) == 50


def test_loudness_and_colour_of_sound_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    samples = (rng.standard_normal(16_000) * np.repeat(rng.uniform(0.02, 0.2, 50), 320)).astype(
        np.float32
    )
    bands = log_mel(samples, sound_span=(0, 16_000))
    np.testing.assert_allclose(log_mel(samples / 8, sound_span=(0, 16_000)), bands, atol=1e-4)
    np.testing.assert_allclose(bands.mean(axis=1), 0.0, atol=1e-5)
    brighter = np.append(samples[0], samples[1:] - 0.5 * samples[:-1])
    changed = log_mel(brighter, sound_span=(0, 16_000))
    assert np.corrcoef(bands.ravel(), changed.ravel())[0, 1] > 0.95


def test_silence_is_no_error() -> None:
    bands = log_mel(np.zeros(16_000, np.float32), sound_span=(0, 0))
    assert np.isfinite(bands).all()


def test_windows_of_sound_begin_with_mouths() -> None:
    bands = np.tile(np.arange(100, dtype=np.float32), (NUM_BANDS, 1))
    windows = sound_windows(bands)
    assert windows.shape == (21, 1, NUM_BANDS, 20)
    assert windows[:, 0, 0, 0].tolist() == [4.0 * number for number in range(21)]


def test_a_window_is_known_where_all_of_its_sound_is() -> None:
    known = sound_windows_known(21, sound_span=(1, 16_000 - 641))
    assert np.flatnonzero(known).tolist() == list(range(1, 19))


def test_pairs_are_shifted_to_offsets() -> None:
    rng = np.random.default_rng(0)
    sounds = rng.standard_normal((40, 8)).astype(np.float32)
    sounds /= np.linalg.norm(sounds, axis=1, keepdims=True)
    mouths = sounds[18:28]  # the sound is 3 mouths late
    known = np.ones(40, np.bool_)
    known[:5] = False
    found = shifted_pairs(mouths, sounds, known=known)
    assert found.shape == (10, NUM_OFFSETS)
    np.testing.assert_allclose(found[:, 18], 1.0, atol=1e-6)
    assert np.isnan(found[0, :5]).all()
    assert not np.isnan(found[0, 5:]).any()
    assert not np.isnan(found[5:]).any()
