"""Settings of sampling and extraction: what options ask for, then the detector's or defaults."""

from __future__ import annotations

import pytest

from deepfake.config import CropConfig, MediaLimits, SamplingConfig
from deepfake.config.options import IngestOptions
from deepfake.errors import ConfigError
from deepfake.extract.options import choose_sampling, create_sampling, extract_config

TRAINED_WITH = SamplingConfig(num_frames=16, max_frames=77)


def test_nothing_asked_for_is_nothing_changed() -> None:
    assert choose_sampling(TRAINED_WITH, strategy=None, frames=None, fps=None) is None


def test_number_alone_keeps_the_strategy() -> None:
    chosen = choose_sampling(TRAINED_WITH, strategy=None, frames=4, fps=None)
    assert chosen == SamplingConfig(num_frames=4, max_frames=77)


def test_strategy_alone_keeps_the_numbers() -> None:
    chosen = choose_sampling(TRAINED_WITH, strategy="bursts", frames=None, fps=None)
    assert chosen == SamplingConfig(strategy="bursts", num_frames=16, max_frames=77)


def test_frames_a_second_are_for_their_strategy() -> None:
    chosen = choose_sampling(TRAINED_WITH, strategy="fps", frames=None, fps=2.5)
    assert chosen is not None
    assert (chosen.strategy, chosen.fps) == ("fps", 2.5)
    with pytest.raises(ConfigError, match="fps goes with"):
        choose_sampling(TRAINED_WITH, strategy=None, frames=None, fps=2.5)
    with pytest.raises(ConfigError, match="frames goes with"):
        choose_sampling(TRAINED_WITH, strategy="all", frames=3, fps=None)


def test_numbers_that_the_sampling_has_no_use_for_are_refused() -> None:
    assert create_sampling("uniform", frames=8, fps=None).num_frames == 8
    assert create_sampling("uniform", frames=None, fps=None).num_frames == 32
    for strategy in ("keyframes", "bursts", "runs"):
        chosen = create_sampling(strategy, frames=8, fps=None)
        assert (chosen.strategy, chosen.num_frames) == (strategy, 8)
        with pytest.raises(ConfigError, match="fps goes with fps"):
            create_sampling(strategy, frames=None, fps=2.0)
    with pytest.raises(ConfigError, match="run_seconds goes with runs"):
        create_sampling("uniform", frames=None, fps=None, run_seconds=1.0)
    with pytest.raises(ConfigError, match="frames goes with uniform"):
        create_sampling("all", frames=8, fps=None)
    with pytest.raises(ConfigError, match="fps goes with fps"):
        create_sampling("uniform", frames=None, fps=2.0)


def test_options_of_ingest_reach_the_settings() -> None:
    options = IngestOptions(
        input_path="media",
        corpus="tiny",
        sampling="fps",
        fps=2.0,
        face_size=128,
        margin=1.5,
        codec="png",
        edge="inside",
        min_face=0.25,
        max_pixels=7,
        max_frames=8,
        max_mb=9,
    )
    config = extract_config(options)
    assert (config.sampling.strategy, config.sampling.fps) == ("fps", 2.0)
    assert config.crop == CropConfig(size=128, margin=1.5, codec="png", edge="inside")
    assert config.faces.min_face_fraction == 0.25
    assert config.limits == MediaLimits(max_pixels=7, max_frames=8, max_bytes=9 * 2**20)
