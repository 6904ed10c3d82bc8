"""What `train` is asked for on top of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.config.options import TrainOptions
from deepfake.errors import ConfigError
from deepfake.training.recipes import load_recipe
from deepfake.training.settings import resolve_run_folder, resolve_train_config


def test_options_override_the_recipe() -> None:
    options = TrainOptions(
        dataset="d", recipe="two_headed", epochs=2, sbi_share=0.25, match_resolution=False
    )
    config = resolve_train_config(options)
    base = load_recipe("two_headed")
    assert (config.epochs, config.sbi_share, config.seed) == (2, 0.25, base.seed)
    assert config.augment == base.augment.model_copy(update={"match_resolution": False})


def test_every_option_that_a_recipe_has_a_setting_for_arrives() -> None:
    options = TrainOptions(
        dataset="d",
        recipe="mixed",
        model="resnet50",
        epochs=3,
        batch_size=4,
        lr=0.5,
        optimizer="sgd",
        weight_decay=0.25,
        pretrained="none",
        seed=9,
        patience=7,
        max_crops=11,
        max_minutes=2.5,
        max_cpu_minutes=3.5,
        method="two_headed",
        sbi_share=0.125,
        augment=False,
    )
    config = resolve_train_config(options)
    assert (config.model, config.epochs, config.batch_size) == ("resnet50", 3, 4)
    assert (config.learning_rate, config.optimizer, config.weight_decay) == (0.5, "sgd", 0.25)
    assert (config.pretrained, config.seed, config.patience) == ("none", 9, 7)
    assert (config.max_crops_per_epoch, config.max_minutes) == (11, 2.5)
    assert (config.max_cpu_minutes, config.method, config.sbi_share) == (3.5, "two_headed", 0.125)
    assert not config.augment.is_enabled


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="sbi_share goes with"):
        resolve_train_config(TrainOptions(dataset="d", recipe="sbi", sbi_share=0.5))
    with pytest.raises(ValueError, match="leaves one of two heads"):
        resolve_train_config(TrainOptions(dataset="d", recipe="two_headed", sbi_share=1.0))


def test_a_run_has_a_folder_of_its_own_unless_it_is_resumed(tmp_path: Path) -> None:
    named = resolve_run_folder(tmp_path, name="mine", model="m", corpus="c", resume=False)
    assert named == tmp_path / "mine"
    named.mkdir()
    with pytest.raises(ConfigError, match="already exists"):
        resolve_run_folder(tmp_path, name="mine", model="m", corpus="c", resume=False)
    assert resolve_run_folder(tmp_path, name="mine", model="m", corpus="c", resume=True) == named
    with pytest.raises(ConfigError, match="no interrupted run m-c-"):
        resolve_run_folder(tmp_path, name=None, model="m", corpus="c", resume=True)
    checkpoint = tmp_path / "m-c-20260101-000000" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    found = resolve_run_folder(tmp_path, name=None, model="m", corpus="c", resume=True)
    assert found == tmp_path / "m-c-20260101-000000"
