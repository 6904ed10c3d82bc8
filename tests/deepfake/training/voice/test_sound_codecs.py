"""Every codec is drawn, and every setup that can be drawn is one that its encoder takes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from deepfake.training.voice import sound_codecs
from deepfake.training.voice.sound_codecs import (
    CodecSetup,
    available_sound_codecs,
    draw_codec,
    pass_through_codec,
)
from tests.sound_factory import make_speech


def _drawn(num: int) -> list[CodecSetup]:
    rng = np.random.default_rng(0)
    return [draw_codec(rng) for _ in range(num)]


def test_codecs_are_drawn_equally_often() -> None:
    counts = Counter(setup.codec for setup in _drawn(1800))
    assert set(counts) == set(available_sound_codecs())
    expected = 1800 / len(counts)
    assert all(0.75 * expected < count < 1.25 * expected for count in counts.values())


@pytest.mark.parametrize("codec", available_sound_codecs())
def test_an_encoder_takes_each_setup_that_is_drawn(codec: str) -> None:
    samples = make_speech(0.3)
    setups = {setup for setup in _drawn(1500) if setup.codec == codec}
    assert setups
    for setup in setups:
        changed = pass_through_codec(samples, codec=codec, bit_rate=setup.bit_rate, rate=setup.rate)
        assert np.corrcoef(changed, samples)[0, 1] > 0.3


def test_a_codec_that_is_not_there_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_codecs, "available_sound_codecs", lambda: ("aac", "mu_law"))
    assert {setup.codec for setup in _drawn(50)} == {"aac", "mu_law"}


def test_as_many_numbers_are_drawn_for_each_codec() -> None:
    left = set()
    for seed in range(20):
        rng, counted = np.random.default_rng(seed), np.random.default_rng(seed)
        draw_codec(rng)
        counted.random(3)
        left.add(rng.random() == counted.random())
    assert left == {True}
