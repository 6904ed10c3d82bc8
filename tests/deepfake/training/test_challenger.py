"""The settings of a challenger of voices, and the key that names its training."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deepfake.config.options import RetrainOptions
from deepfake.detectors.voice_bundle import VoiceBundle, load_voice_bundle
from deepfake.errors import ConfigError, UnknownModelError
from deepfake.training.challenger import challenger_config, retrain_key
from deepfake.training.recipes import load_voice_recipe
from tests.untrained_voice_detector import write_voice_bundle


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> VoiceBundle:
    return load_voice_bundle(write_voice_bundle(tmp_path_factory.mktemp("bundle") / "voice"))


def _options(**more: object) -> RetrainOptions:
    return RetrainOptions.model_validate({"dataset": ["calls"], "modality": "voice", **more})


def test_a_challenger_is_trained_as_the_champion_was_and_from_its_weights(
    champion: VoiceBundle,
) -> None:
    config = challenger_config(champion, _options(epochs=3, max_crops=64))
    changes = {"epochs": 3, "windows_per_epoch": 64, "pretrained": str(champion.path)}
    assert config == champion.spec.train_config.model_copy(update=changes)
    assert challenger_config(champion, _options(start="scratch")).pretrained == "none"


def test_a_recipe_is_one_of_voices(champion: VoiceBundle) -> None:
    config = challenger_config(champion, _options(start="scratch", recipe="voice", model="aasist"))
    wanted = load_voice_recipe("voice").model_copy(update={"architecture": "aasist"})
    assert config == wanted
    with pytest.raises(ConfigError, match="no recipe 'sbi'"):
        challenger_config(champion, _options(recipe="sbi"))
    with pytest.raises(UnknownModelError, match="no voice network 'resnet50'"):
        challenger_config(champion, _options(start="scratch", model="resnet50"))


def test_where_the_champion_lies_does_not_matter(champion: VoiceBundle, tmp_path: Path) -> None:
    moved = load_voice_bundle(Path(shutil.copytree(champion.path, tmp_path / "moved")))
    keys = {
        retrain_key(challenger_config(one, _options()), snapshots=[], champion=one, name="voices")
        for one in (champion, moved)
    }
    assert len(keys) == 1
    fresh = challenger_config(champion, _options(start="scratch"))
    assert retrain_key(fresh, snapshots=[], champion=champion, name="voices") not in keys


def test_detectors_of_voices_have_a_name_of_their_own() -> None:
    assert _options().registered_name == "voice-detector"
    assert _options(modality="faces").registered_name == "deepfake-detector"
    assert _options(name="mine").registered_name == "mine"
