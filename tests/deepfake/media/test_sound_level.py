"""Loudness and bandwidth of a window of sound, against sounds whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.media.sound import SAMPLE_RATE
from deepfake.media.sound_level import bandwidth_hz, loudness_dbfs
from tests.sound_factory import make_tone


def test_loudness_of_a_sine_is_three_decibels_under_its_level() -> None:
    assert loudness_dbfs(make_tone(level=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert loudness_dbfs(make_tone(level=0.1)) == pytest.approx(-23.01, abs=0.01)


def test_silence_has_a_floor_and_no_bandwidth() -> None:
    silence = np.zeros(SAMPLE_RATE, np.float32)
    assert loudness_dbfs(silence) == -120.0
    assert bandwidth_hz(silence) == 0.0


@pytest.mark.parametrize("hz", [500.0, 3_000.0, 7_500.0])
def test_bandwidth_reaches_to_the_highest_tone(hz: float) -> None:
    sound = make_tone(hz=200.0, level=0.5) + make_tone(hz=hz, level=0.05)
    assert bandwidth_hz(sound) == pytest.approx(hz, abs=120)


def test_what_is_50_db_below_does_not_count() -> None:
    sound = make_tone(hz=200.0, level=0.5) + make_tone(hz=6_000.0, level=0.0005)
    assert bandwidth_hz(sound) < 500
