"""Which frames are scored: the user's word, then the detector's."""

from __future__ import annotations

import pytest

from deepfake.config import SamplingConfig
from deepfake.errors import ConfigError
from flows.sampling_option import choose_sampling

TOLD = SamplingConfig(num_frames=16, max_frames=77)


def test_nothing_asked_for_is_nothing_changed() -> None:
    assert choose_sampling(TOLD, strategy=None, frames=None, fps=None) is None


def test_number_alone_keeps_the_strategy() -> None:
    chosen = choose_sampling(TOLD, strategy=None, frames=4, fps=None)
    assert chosen == SamplingConfig(num_frames=4, max_frames=77)


def test_strategy_alone_keeps_the_numbers() -> None:
    chosen = choose_sampling(TOLD, strategy="bursts", frames=None, fps=None)
    assert chosen == SamplingConfig(strategy="bursts", num_frames=16, max_frames=77)


def test_frames_a_second_are_for_their_strategy() -> None:
    chosen = choose_sampling(TOLD, strategy="fps", frames=None, fps=2.5)
    assert chosen is not None
    assert (chosen.strategy, chosen.fps) == ("fps", 2.5)
    with pytest.raises(ConfigError, match="fps goes with"):
        choose_sampling(TOLD, strategy=None, frames=None, fps=2.5)
    with pytest.raises(ConfigError, match="frames goes with"):
        choose_sampling(TOLD, strategy="all", frames=3, fps=None)
