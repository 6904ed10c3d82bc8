"""Search spaces: what they hold can be trained with, at every end."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.config import TrainConfig
from deepfake.errors import ConfigError
from deepfake.training.recipes import load_recipe
from deepfake.training.tuning import Choices, Range, list_spaces, load_space


@pytest.mark.parametrize("name", list_spaces())
def test_the_spaces_that_come_along_can_be_trained_with(name: str) -> None:
    space = load_space(name)
    assert len(space.settings) >= 5
    assert isinstance(space.config({}), TrainConfig)


def test_a_space_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'recipe = "sbi"\n[fixed]\nepochs = 3\n[settings]\nlearning_rate = {low = 1e-4, high = 1}\n'
        'frozen_stages = {low = 0, high = 3}\n"augment.jpeg_p" = {choices = [0.0, 0.5]}\n'
    )
    space = load_space(str(path))
    assert isinstance(space.settings["augment.jpeg_p"], Choices)
    whole = {name: t.is_integer for name, t in space.settings.items() if isinstance(t, Range)}
    assert whole == {"learning_rate": False, "frozen_stages": True}
    base, changed = load_recipe("sbi"), space.config({"augment.jpeg_p": 0.0, "frozen_stages": 1})
    assert (changed.epochs, changed.frozen_stages, changed.augment.jpeg_p) == (3, 1, 0.0)
    back = changed.model_copy(
        update={
            "epochs": base.epochs,
            "frozen_stages": base.frozen_stages,
            "augment": changed.augment.model_copy(update={"jpeg_p": base.augment.jpeg_p}),
        }
    )
    assert back == base


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("settings = {}", "settings"),
        ("[settings]\nlearning_rat = {low = 0.1, high = 0.2}", "no setting 'learning_rat'"),
        ("[settings]\naugment = {low = 0.1, high = 0.2}", "no setting 'augment'"),
        ('[settings]\n"augment.x.y" = {low = 0.1, high = 0.2}', "no setting 'augment.x.y'"),
        ("[settings]\nlearning_rate = {low = -1.0, high = 0.2}", "learning_rate: Input should be"),
        ("[settings]\nlearning_rate = {low = 2, high = 1}", "must lie under"),
        ("[settings]\nlearning_rate = {low = 0.0, high = 1, log = true}", "positive low"),
        ('[settings]\noptimizer = {choices = ["adam", "adamm"]}', "optimizer"),
        ('[settings]\noptimizer = {choices = ["adam"]}', "settings"),
        ('recipe = "none"\n[settings]\nlearning_rate = {low = 0.1, high = 1}', "no recipe 'none'"),
        ("[fixed]\nepochs = 0\n[settings]\nlearning_rate = {low = 0.1, high = 1}", "epochs"),
        ("settings =", "no TOML"),
    ],
)
def test_what_cannot_be_trained_with_is_refused_at_once(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_space(str(path))


def test_a_space_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="there are baseline, two_headed"):
        load_space("nothing")
