"""Training on reals alone, and on both kinds of fakes; and that it says what it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from deepfake.config import AugmentConfig, TrainConfig, digest_of
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError, DataError
from deepfake.storage import read_json, write_json
from deepfake.training import TrainResult, select_crops, train_detector
from deepfake.training.metrics_file import read_metrics_file

CONFIG = TrainConfig(
    model="test_efficientnet",
    pretrained="none",
    input_size=64,
    epochs=2,
    batch_size=8,
    learning_rate=3e-3,
    method="sbi",
)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(snapshots: list[Any], run_dir: Path, **changes: Any) -> TrainResult:
    options: dict[str, Any] = {
        "config": CONFIG,
        "name": "tried",
        "device": "cpu",
        "num_workers": 0,
        "show_progress": False,
    }
    return train_detector(snapshots=snapshots, run_dir=run_dir, **{**options, **changes})


@pytest.fixture
def reals(tmp_path: Path, corpus_writer: Any, crop_file: Any) -> Any:
    files = [
        crop_file(f"{split}/{i}", "real", split)
        for split, count in {"train": 12, "val": 10}.items()
        for i in range(count)
    ]
    files.append(crop_file("train/odd", "real", "train", has_landmarks=False))
    return corpus_writer(tmp_path / "corpus", files)


class _StopError(Exception):
    pass


class _StopIn(pl.Callback):
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise _StopError


def test_reals_alone_give_a_bundle_and_an_honest_note(reals: Any, tmp_path: Path) -> None:
    result = train([reals], tmp_path / "run")
    bundle = load_bundle(result.bundle)
    assert bundle.spec.train_config == CONFIG
    assert not bundle.spec.judgement["still"].calibration.is_fitted
    notes = " ".join(bundle.spec.all_notes)
    assert "self-blended reals alone" in notes
    assert "chosen on self-blended reals of `val`" in notes
    assert "(face crops left out of the training split: 1)" in notes
    assert "last epoch" not in notes
    assert result.num_train_crops == 12
    assert result.metrics["num_train_fake"] == 0
    assert "val_blends_auc" in result.metrics
    assert "val_auc" not in result.metrics, "nobody may take it for one of labelled files"
    lines = read_metrics_file(result.run_dir / "metrics.jsonl")
    assert [x["step"] for x in lines if x["name"] == "train_loss"] == [2, 5]


def test_interrupted_run_ends_as_an_undisturbed_one(reals: Any, tmp_path: Path) -> None:
    whole = train([reals], tmp_path / "whole")
    with pytest.raises(_StopError):
        train([reals], tmp_path / "cut", callbacks=[_StopIn()])
    blend = CONFIG.self_blend.model_copy(update={"jitter": 0.2})
    other = CONFIG.model_copy(update={"self_blend": blend})
    with pytest.raises(ConfigError, match="self_blend"):
        train([reals], tmp_path / "cut", config=other, resume=True)
    cut = train([reals], tmp_path / "cut", resume=True)
    state, expected = (
        torch.load(r.run_dir / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]
        for r in (cut, whole)
    )
    gaps = [(state[k] - v).float().abs().mean() for k, v in expected.items() if v.ndim > 1]
    assert float(max(gaps)) < 5e-5


def test_run_begun_before_a_setting_was_there_is_continued(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 4}))
    plain = CONFIG.model_copy(update={"method": "labels"})
    with pytest.raises(_StopError):
        train([snapshot], tmp_path / "run", config=plain, callbacks=[_StopIn()])
    path = tmp_path / "run" / "config.json"
    kept = read_json(path)
    for name in ("method", "sbi_share", "self_blend"):
        del kept["config"][name]
    write_json(path, kept)
    with pytest.raises(ConfigError, match="method"):
        train([snapshot], tmp_path / "run", config=CONFIG, resume=True)
    assert train([snapshot], tmp_path / "run", config=plain, resume=True).num_epochs == 2


def test_labelled_val_chooses_also_for_self_blended_training(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 6, "val": 60}))
    one = CONFIG.model_copy(update={"epochs": 1})
    result = train([snapshot], tmp_path / "run", config=one)
    assert "val_auc" in result.metrics
    assert "val_blends_auc" not in result.metrics
    spec = load_bundle(result.bundle).spec
    assert spec.judgement["still"].calibration.is_fitted
    assert not any("chosen on self-blended" in note for note in spec.all_notes)
    assert result.num_train_crops == 6, "labelled fakes of train are not learnt from"


def test_the_last_epoch_is_kept_where_the_recipe_says_so(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    """Whatever its AUC on labelled files, which is measured all the same."""
    snapshot = corpus_writer(tmp_path, file_plan({"train": 8, "val": 60}))
    own = {"method": "labels", "checkpoint": "last", "epochs": 3, "patience": 1}
    # Without learning, no epoch is better than the first.
    config = CONFIG.model_copy(update={**own, "learning_rate": 1e-12})
    result = train([snapshot], tmp_path / "run", config=config)
    assert (result.best_epoch, result.num_epochs) == (2, 3), "patience stops nothing"
    assert "val_auc" in result.metrics
    notes = load_bundle(result.bundle).spec.all_notes
    assert "The weights are those of the last epoch, as its recipe says." in notes


def test_mixed_training_runs(tmp_path: Path, corpus_writer: Any, file_plan: Any) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 8}))
    config = CONFIG.model_copy(update={"method": "mixed", "sbi_share": 0.25, "epochs": 1})
    result = train([snapshot], tmp_path / "run", config=config)
    assert result.metrics["num_train_fake"] == 8
    written = json.loads((result.run_dir / "config.json").read_text())["config"]
    assert (written["method"], written["sbi_share"]) == ("mixed", 0.25)
    assert written["self_blend"]["elastic_strength"] == 50.0


def test_without_val_the_last_epoch_is_taken(
    tmp_path: Path, corpus_writer: Any, crop_file: Any
) -> None:
    files = [crop_file(f"{i}", "real", "train") for i in range(4)]
    plain = CONFIG.model_copy(update={"augment": AugmentConfig(is_enabled=False)})
    result = train([corpus_writer(tmp_path, files)], tmp_path / "run", config=plain)
    assert any("last epoch" in note for note in result.notes)


def test_each_method_says_what_it_lacks(
    tmp_path: Path, reals: Any, corpus_writer: Any, crop_file: Any
) -> None:
    with pytest.raises(DataError, match="both classes") as caught:
        select_crops([reals])
    assert "--method sbi" in str(caught.value.hint)
    with pytest.raises(DataError, match="both classes"):
        select_crops([reals], method="mixed")
    fakes = [crop_file(f"{i}", "fake", "train") for i in range(3)]
    with pytest.raises(DataError, match="needs reals"):
        select_crops([corpus_writer(tmp_path, fakes)], method="sbi")


def test_settings_of_blending_are_part_of_the_recipe() -> None:
    other = CONFIG.self_blend.model_copy(update={"jitter": 0.2})
    changed = CONFIG.model_copy(update={"self_blend": other})
    assert digest_of(changed) != digest_of(CONFIG)
