"""Settings: frozen, refused when wrong, and named by a digest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from deepfake import config
from deepfake.config import (
    CropConfig,
    ExtractConfig,
    FaceConfig,
    MediaLimits,
    SamplingConfig,
    SplitConfig,
    TrainConfig,
    ViewConfig,
    WorkerLimits,
    digest_of,
)
from deepfake.config.base import Settings

_MODELS = [
    found
    for found in (getattr(config, name) for name in config.__all__)
    if isinstance(found, type) and issubclass(found, Settings)
]


@pytest.mark.parametrize("model", _MODELS)
def test_settings_are_frozen_and_know_all_their_names(model: type[BaseModel]) -> None:
    settings = model()
    name = next(iter(type(settings).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, name, getattr(settings, name))
    with pytest.raises(ValidationError, match="Extra inputs"):
        model(no_such_setting=1)


@pytest.mark.parametrize("model", _MODELS)
def test_settings_survive_json(model: type[BaseModel]) -> None:
    settings = model()
    again = model.model_validate_json(settings.model_dump_json())
    assert again == settings
    assert digest_of(again) == digest_of(settings)
    assert model.model_validate(settings.model_dump(mode="json")) == settings
    assert hash(again) == hash(settings)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (CropConfig, {"size": 31}),
        (CropConfig, {"margin": 0.9}),
        (CropConfig, {"codec": "webp"}),
        (CropConfig, {"quality": 0}),
        (FaceConfig, {"min_face_fraction": 0}),
        (FaceConfig, {"min_face_fraction": float("nan")}),
        (SamplingConfig, {"num_frames": 0}),
        (SamplingConfig, {"fps": 0}),
        (SplitConfig, {"val_fraction": 0.5, "test_fraction": 0.5}),
        (SplitConfig, {"val_fraction": -0.1}),
        (TrainConfig, {"epochs": 0}),
        (TrainConfig, {"learning_rate": 0}),
        (TrainConfig, {"optimizer": "lion"}),
        (WorkerLimits, {"timeout_seconds": 0}),
        (WorkerLimits, {"cpu_seconds": 0}),
        (MediaLimits, {"max_frames": 0}),
        (ExtractConfig, {"max_crops": 0}),
    ],
)
def test_a_bad_value_is_refused(model: type[BaseModel], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model(**values)


def _paths(settings: BaseModel, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        here = (*prefix, name)
        found += _paths(value, here) if isinstance(value, BaseModel) else [here]
    return found


def _changed(settings: BaseModel, path: tuple[str, ...]) -> BaseModel:
    name, *rest = path
    value = getattr(settings, name)
    new = _changed(value, tuple(rest)) if rest else ("changed", value)
    return settings.model_copy(update={name: new})


@pytest.mark.parametrize(
    "settings", [ExtractConfig(), TrainConfig(view=ViewConfig())], ids=lambda s: type(s).__name__
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
def test_every_setting_is_part_of_the_digest(settings: BaseModel) -> None:
    digests = [digest_of(_changed(settings, path)) for path in _paths(settings)]
    assert len({digest_of(settings), *digests}) == len(digests) + 1


def test_limits_are_no_part_of_what_can_change_a_crop() -> None:
    """They refuse: whoever raises one keeps every crop and score that is there."""
    wide = ExtractConfig(limits=MediaLimits(max_pixels=7, max_bytes=7, max_frames=7))
    assert wide.crop_settings == ExtractConfig().crop_settings
    other = ExtractConfig(max_crops=7)
    assert digest_of(other.crop_settings) != digest_of(ExtractConfig().crop_settings)


def test_the_clock_allows_far_more_than_the_processor() -> None:
    """A machine that is ten times overloaded must not make files fail."""
    limits = WorkerLimits()
    assert limits.timeout_seconds >= 5 * limits.cpu_seconds


def test_a_digest_is_the_same_in_another_process() -> None:
    code = (
        "from deepfake.config import *; print(digest_of('x', ExtractConfig(), None, TrainConfig()))"
    )
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == digest_of("x", ExtractConfig(), None, TrainConfig())


def test_parts_of_a_digest_do_not_run_together() -> None:
    texts = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("abc", None), ("c", "ab")]
    assert len({digest_of(*parts) for parts in texts}) == len(texts)
    assert all(len(digest_of(*parts)) == 16 for parts in texts)
