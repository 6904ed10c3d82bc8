"""Recipes are complete, are found by name, and say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.config import TrainConfig, digest_of
from deepfake.detectors.models import resolve_model_name
from deepfake.errors import ConfigError
from deepfake.training.recipes import (
    DEFAULT_RECIPE,
    list_recipes,
    load_recipe,
    load_voice_recipe,
)


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_is_one(name: str) -> None:
    config = load_recipe(name)
    assert resolve_model_name(config.model)
    assert config.seed == 0


def test_the_default_is_what_it_was() -> None:
    assert load_recipe(DEFAULT_RECIPE) == TrainConfig()
    assert {"baseline", "sbi", "mixed", "two_headed"} <= set(list_recipes())


def test_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('method = "sbi"\n[augment]\njpeg_p = 0.7\n')
    config = load_recipe(str(path))
    assert config.method == "sbi"
    assert config.augment.jpeg_p == 0.7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 0", "epochs: Input should be greater"),
        ("epoch = 3", "epoch: Extra inputs"),
        ("epochs =", "is no TOML"),
        ("[augment]\nblur = 1", "augment.blur"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(path))


def test_unknown_recipe_names_the_known() -> None:
    with pytest.raises(ConfigError, match="there are ablation, baseline"):
        load_recipe("best")


def test_the_two_that_are_joined_take_the_same_crops() -> None:
    blends, labels = (load_recipe(name) for name in ("dense_blends", "labels"))
    assert (blends.method, labels.method) == ("sbi", "labels")
    assert blends.view == labels.view is not None
    assert blends.input_size == labels.input_size
    assert blends.augment == labels.augment


def test_older_recipes_keep_their_digests() -> None:
    found = {name: digest_of(load_recipe(name)) for name in ("ablation", "mixed", "two_headed")}
    assert found == {
        "ablation": "4e31ca6a8ecff940",
        "mixed": "75fe7b20bb948cac",
        "two_headed": "d6a175bc604455e8",
    }


def test_recipes_for_voices_are_listed_apart() -> None:
    assert list_recipes("voice") == ["voice", "voice_labels"]
    assert not set(list_recipes("voice")) & set(list_recipes())
    assert load_voice_recipe().copy_share > 0
    assert load_voice_recipe("voice_labels").copy_share == 0
    with pytest.raises(ConfigError, match="there are voice, voice_labels"):
        load_voice_recipe("baseline")
