"""Whole runs on synthetic crops: bundle, record, resumption, and what happens without `val`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from deepfake.config import AugmentConfig, TrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import load_detector
from deepfake.detectors.inference.torch_networks import load_module
from deepfake.errors import ConfigError, ModelError, WeightsUnavailableError
from deepfake.training import TrainResult, train_detector
from deepfake.training.data import (
    CropDataset,
    InputSpec,
    collect_crops,
    evaluation_loader,
    labels_of,
)
from deepfake.training.metrics_file import drop_incomplete_line, read_metrics_file

CONFIG = TrainConfig(
    model="test_efficientnet",
    pretrained="none",
    input_size=64,
    epochs=3,
    batch_size=8,
    learning_rate=3e-3,
    augment=AugmentConfig(is_enabled=False),
)


def train(snapshots: list[Snapshot], run_dir: Path, **changes: Any) -> TrainResult:
    options: dict[str, Any] = {
        "config": CONFIG,
        "name": "tried",
        "device": "cpu",
        "num_workers": 0,
        "show_progress": False,
    }
    return train_detector(snapshots=snapshots, run_dir=run_dir, **{**options, **changes})


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def snapshot(
    tmp_path_factory: pytest.TempPathFactory, corpus_writer: Any, file_plan: Any
) -> Snapshot:
    files = file_plan({"train": 24, "val": 100, "test": 8})
    written: Snapshot = corpus_writer(tmp_path_factory.mktemp("corpus"), files)
    return written


@pytest.fixture(scope="module")
def finished(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train([snapshot], tmp_path_factory.mktemp("runs") / "run")


def test_detector_learns_what_the_fakes_have(finished: TrainResult, snapshot: Snapshot) -> None:
    crops = collect_crops([snapshot])
    crops = crops[crops["split"] == "test"].reset_index(drop=True)
    dataset = CropDataset(crops, spec=InputSpec(64, (0.5,) * 3, (0.5,) * 3))
    logits = load_detector(finished.bundle, device="cpu").logits(
        [dataset.stored_pixels(row) for row in range(len(crops))]
    )
    labels = labels_of(crops)
    assert logits[labels == 1].min() > logits[labels == 0].max(), "positive means fake"
    assert finished.metrics["val_auc"] == pytest.approx(1.0)


def test_bundle_predicts_the_logits_of_the_network_that_was_trained(
    finished: TrainResult, snapshot: Snapshot
) -> None:
    checkpoint = torch.load(finished.run_dir / "checkpoints" / "best.ckpt", weights_only=False)
    detector = load_detector(finished.bundle, device="cpu")
    crops = collect_crops([snapshot])[:40]
    spec = InputSpec(detector.spec.input_size, detector.spec.mean, detector.spec.std)
    dataset = CropDataset(crops, spec=spec)
    scored = detector.logits([dataset.stored_pixels(row) for row in range(40)])
    module = load_module(detector.bundle).network
    module.load_state_dict(
        {k.removeprefix("network."): v for k, v in checkpoint["state_dict"].items()}
    )
    ((inputs, _, _),) = evaluation_loader(
        crops, spec=spec, crop=snapshot.config.crop, batch_size=40
    )
    with torch.inference_mode():
        trained = module(inputs)[:, 0].numpy()
    assert scored.std() > 0.01
    np.testing.assert_allclose(scored, trained, atol=1e-4)


def test_bundle_names_everything_that_scoring_needs(
    finished: TrainResult, snapshot: Snapshot
) -> None:
    spec = load_bundle(finished.bundle).spec
    assert spec.crop == snapshot.config.crop
    assert spec.faces == snapshot.config.faces
    assert spec.sampling == snapshot.config.sampling
    assert spec.train_config == CONFIG
    assert spec.data_digests == {snapshot.corpus: snapshot.digest}
    assert spec.judgement["still"].calibration.is_fitted
    assert spec.judgement["still"].thresholds.is_fitted
    assert not spec.judgement["video"].calibration.is_fitted
    assert any("videos are not calibrated" in note for note in spec.all_notes)
    assert spec.metrics == finished.metrics


def test_record_is_complete(finished: TrainResult, snapshot: Snapshot) -> None:
    config = json.loads((finished.run_dir / "config.json").read_text())
    assert config["config"] == CONFIG.model_dump(mode="json")
    assert config["data_digests"] == {snapshot.corpus: snapshot.digest}
    assert config["classes"] == {"real": 0, "fake": 1}
    assert config["versions"]["torch"] == torch.__version__
    result = json.loads((finished.run_dir / "result.json").read_text())
    assert result["bundle"] == str(finished.bundle)
    lines = read_metrics_file(finished.run_dir / "metrics.jsonl")
    epochs = {n: [x["epoch"] for x in lines if x["name"] == n] for n in ("train_loss", "val_auc")}
    assert epochs == {"train_loss": [0, 1, 2], "val_auc": [0, 1, 2]}
    assert set(lines[0]) == {"epoch", "step", "name", "value", "timestamp"}


class _StopError(Exception):
    pass


class _StopIn(pl.Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise _StopError


class _Watch(pl.Callback):
    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.first_step: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epochs.append(trainer.current_epoch)
        if self.first_step is None:
            states = list(trainer.optimizers[0].state.values())
            self.first_step = float(states[0]["step"]) if states else 0.0


def test_interrupted_run_is_continued_and_ends_as_an_undisturbed_one(
    snapshot: Snapshot, finished: TrainResult, tmp_path: Path
) -> None:
    with pytest.raises(_StopError):
        train([snapshot], tmp_path / "run", callbacks=[_StopIn(1)])
    watch = _Watch()
    result = train([snapshot], tmp_path / "run", resume=True, callbacks=[watch])
    assert watch.epochs == [1, 2]
    assert watch.first_step == 6, "48 crops in batches of 8: the optimiser goes on"
    assert result.num_epochs == 3
    state, expected = (
        torch.load(r.run_dir / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]
        for r in (result, finished)
    )
    # Adam makes much of the last bit where a gradient is nearly nought, hence the mean. A fresh
    # optimiser, or other draws in the resumed epochs, would be 0.0005 and more.
    gaps = [(state[k] - v).float().abs().mean() for k, v in expected.items() if v.ndim > 1]
    assert float(max(gaps)) < 5e-5


def test_run_cut_before_its_first_checkpoint_begins_anew(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    with pytest.raises(_StopError):
        train([snapshot], tmp_path / "run", callbacks=[_StopIn(0)])
    one = CONFIG.model_copy(update={"epochs": 1})
    assert train([snapshot], tmp_path / "run", config=one, resume=True).num_epochs == 1


def test_finished_run_is_continued_for_more_epochs(snapshot: Snapshot, tmp_path: Path) -> None:
    one = CONFIG.model_copy(update={"epochs": 1})
    train([snapshot], tmp_path / "run", config=one)
    watch = _Watch()
    two = CONFIG.model_copy(update={"epochs": 2})
    result = train([snapshot], tmp_path / "run", config=two, resume=True, callbacks=[watch])
    assert watch.epochs == [1]
    assert result.num_epochs == 2
    assert load_bundle(result.bundle).spec.train_config.epochs == 2


def test_run_is_not_overwritten_and_not_resumed_as_another(
    snapshot: Snapshot, finished: TrainResult, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="already"):
        train([snapshot], finished.run_dir)
    with pytest.raises(ConfigError, match="no run to resume"):
        train([snapshot], tmp_path / "nothing", resume=True)
    other = CONFIG.model_copy(update={"learning_rate": 1e-5})
    with pytest.raises(ConfigError, match="learning_rate"):
        train([snapshot], finished.run_dir, config=other, resume=True)


def test_run_is_not_resumed_on_other_data(
    finished: TrainResult, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    other = corpus_writer(tmp_path, file_plan({"train": 2}))
    with pytest.raises(ConfigError, match="other data"):
        train([other], finished.run_dir, resume=True)


def test_eight_crops_without_val_train_to_the_last_epoch(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 4}))
    result = train([snapshot], tmp_path / "run", config=CONFIG.model_copy(update={"epochs": 2}))
    assert result.best_epoch == 1
    assert "val_auc" not in result.metrics
    assert any("last epoch" in note for note in result.notes)
    spec = load_bundle(result.bundle).spec
    assert not spec.judgement["still"].calibration.is_fitted
    assert not spec.judgement["still"].thresholds.is_fitted
    assert spec.judgement["still"].calibration.prob(0.3) == pytest.approx(1 / (1 + np.exp(-0.3)))


def test_videos_calibrate_on_whole_files_and_stills_apart(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = file_plan({"train": 4, "val": 60})
    clips = [
        replace(f, name=f"clip/{f.name}")
        for f in file_plan({"train": 4, "val": 60}, kind="video", num_crops=4)
    ]
    snapshot = corpus_writer(tmp_path, [*stills, *clips])
    one = CONFIG.model_copy(update={"epochs": 1})
    result = train([snapshot], tmp_path / "run", config=one)
    spec = load_bundle(result.bundle).spec
    assert spec.judgement["video"].calibration.is_fitted
    assert spec.judgement["video"].calibration.fitted_on == "video"
    assert spec.judgement["still"].calibration.fitted_on == "still"
    n = result.metrics["val_calibration_video_n"]
    assert isinstance(n, int)
    assert 40 <= n <= 120, "files, not their four crops"


def test_training_that_diverges_gives_no_detector(snapshot: Snapshot, tmp_path: Path) -> None:
    wild = CONFIG.model_copy(update={"learning_rate": 1e30, "optimizer": "sgd"})
    with pytest.raises(ModelError, match="diverged") as caught:
        train([snapshot], tmp_path / "run", config=wild)
    assert caught.value.hint is not None
    assert not (tmp_path / "run" / "bundle").exists()


def test_weights_that_cannot_be_had_leave_no_run_behind(snapshot: Snapshot, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"pretrained": str(tmp_path / "nowhere.pth")})
    with pytest.raises(WeightsUnavailableError):
        train([snapshot], tmp_path / "run", config=config)
    assert not (tmp_path / "run").exists()


def test_training_goes_on_from_a_detector(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 30}))
    one = CONFIG.model_copy(update={"epochs": 1})
    first = load_bundle(train([snapshot], tmp_path / "first", config=one).bundle)
    assert first.spec.has_novelty, "the weights hold more than the network's"
    still = one.model_copy(update={"pretrained": str(first.path), "learning_rate": 1e-12})
    second = load_bundle(train([snapshot], tmp_path / "second", config=still).bundle)
    wanted = dict(load_module(first).network.named_parameters())
    for name, parameter in load_module(second).network.named_parameters():
        torch.testing.assert_close(parameter, wanted[name], atol=1e-6, rtol=0)
    assert second.spec.pretrained_source == f"detector tried ({first.digest})"


def test_detector_of_another_architecture_is_no_beginning(
    snapshot: Snapshot, finished: TrainResult, tmp_path: Path
) -> None:
    other = CONFIG.model_copy(update={"model": "test_resnet", "pretrained": str(finished.bundle)})
    with pytest.raises(WeightsUnavailableError, match="not one of test_resnet"):
        train([snapshot], tmp_path / "run", config=other)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw", "schedule": "constant"},
        {"optimizer": "sgd", "precision": "bf16-mixed"},
    ],
)
def test_recipes_run(
    tmp_path: Path, corpus_writer: Any, file_plan: Any, changes: dict[str, Any]
) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 4}))
    config = CONFIG.model_copy(
        update={"epochs": 1, "max_crops_per_epoch": 4, "augment": AugmentConfig(), **changes}
    )
    result = train([snapshot], tmp_path / "run", config=config)
    steps = [x["step"] for x in read_metrics_file(result.run_dir / "metrics.jsonl")]
    assert steps == [0], "four crops are one batch"


def test_training_stops_when_patience_is_at_an_end(snapshot: Snapshot, tmp_path: Path) -> None:
    long = CONFIG.model_copy(update={"epochs": 30, "patience": 1})
    result = train([snapshot], tmp_path / "run", config=long)
    assert result.num_epochs == result.best_epoch + 2 < 30


def test_line_that_was_cut_short_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"name": "a"}\n{"na')
    assert read_metrics_file(path) == [{"name": "a"}]
    drop_incomplete_line(path)
    assert path.read_text() == '{"name": "a"}\n'
    assert read_metrics_file(tmp_path / "nothing.jsonl") == []
