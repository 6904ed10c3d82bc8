"""Trials: what is given up, what is tried again, and real trainings under a watch."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake.corpora.shards import Snapshot
from deepfake.errors import ConfigError, DataError
from deepfake.training import train_detector
from deepfake.training.recipes import load_recipe
from deepfake.training.tuning import (
    GivenUpError,
    PrunerSettings,
    Range,
    SearchSpace,
    TrialOutcome,
    TrialWatch,
    TuningStudy,
    open_study,
    record_trial,
    train_trial,
)

SPACE = SearchSpace(
    fixed={
        "model": "test_efficientnet",
        "pretrained": "none",
        "input_size": 64,
        "epochs": 3,
        "batch_size": 8,
    },
    pruner=PrunerSettings(startup_trials=1, warmup_epochs=0),
    settings={"learning_rate": Range(low=1e-4, high=1e-2, log=True)},
)


def _open(folder: Path, **changes: Any) -> AbstractContextManager[TuningStudy]:
    options: dict[str, Any] = {"space": SPACE, "data_digests": {"c": "00ff"}, "seed": 0}
    return open_study(folder / "study", **{**options, **changes})


def test_what_lags_behind_is_given_up_and_the_best_is_kept(tmp_path: Path) -> None:
    with _open(tmp_path) as study:
        first = study.next_trial()
        assert not study.report(first.number, epoch=0, value=0.8)
        study.complete(first.number, value=0.8, metric="val_auc")
        second = study.next_trial()
        assert study.report(second.number, epoch=0, value=0.5), "0.5 lies under the median of 0.8"
        study.prune(second.number)
        third = study.next_trial()
        assert not study.report(third.number, epoch=0, value=0.9)
        study.complete(third.number, value=0.9, metric="val_auc")
        best = study.best()
        assert best is not None
        assert (best.number, study.metric, study.num_done) == (2, "val_auc", 3)
        path = study.write_best()
        assert load_recipe(str(path)) == best.config == third.config
        rows = study.rows()
    assert [row["state"] for row in rows] == ["complete", "pruned", "complete"]
    assert [row["value"] for row in rows] == [0.8, None, 0.9]
    assert len({row["learning_rate"] for row in rows}) == 3
    json.dumps(rows)


def test_only_the_best_trial_keeps_its_bundle(tmp_path: Path) -> None:
    outcomes = [
        TrialOutcome("complete", "val_auc", 0.7, {}),
        TrialOutcome("complete", "val_auc", 0.8, {}),
        TrialOutcome("pruned", "val_auc", 0.9, {}),
        TrialOutcome("failed", None, None, {}, "diverged"),
        # A training that ended before its first epoch did.
        TrialOutcome("complete", None, None, {}),
    ]
    with _open(tmp_path) as study:
        for outcome in outcomes:
            trial = study.next_trial()
            (study.trial_folder(trial.number) / "bundle").mkdir(parents=True)
            record_trial(study, trial, outcome)
        kept = [path.parent.name for path in sorted(study.folder.glob("trials/*/bundle"))]
        states = [row["state"] for row in study.rows()]
        assert (study.folder / "best.toml").is_file()
    assert kept == ["001"]
    assert states == ["complete", "complete", "pruned", "fail", "fail"]
    assert [outcome.has_failed for outcome in outcomes] == [False, False, False, True, True]


def test_what_was_killed_is_tried_again_and_does_not_count(tmp_path: Path) -> None:
    with _open(tmp_path) as study:
        done = study.next_trial()
        study.complete(done.number, value=0.7, metric="val_auc")
        killed = study.next_trial()
        study.track_as("run")
    with _open(tmp_path) as study:
        assert study.num_done == 1
        assert study.tracked_as == "run"
        again = study.next_trial()
        assert again.values == killed.values
        assert again.number == 2
        study.complete(again.number, value=0.6, metric="val_auc")
        assert study.num_done == 2
        fresh = study.next_trial()
        assert fresh.values not in (done.values, killed.values)
        study.fail(fresh.number)
        assert study.num_done == 3
        assert study.best().number == 0  # type: ignore[union-attr]


def test_trials_on_other_data_or_of_another_space_are_not_mixed(tmp_path: Path) -> None:
    with (
        _open(tmp_path),
        pytest.raises(DataError, match="another sweep is at work"),
        _open(tmp_path),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="other data_digests"),
        _open(tmp_path, data_digests={"c": "01"}),
    ):
        pass
    other = SPACE.model_copy(update={"settings": {"learning_rate": Range(low=0.1, high=0.2)}})
    with pytest.raises(ConfigError, match="other space"), _open(tmp_path, space=other):
        pass
    with _open(tmp_path) as study:
        assert study.best() is None
        assert study.write_best() is None


@pytest.fixture
def snapshot(tmp_path: Path, corpus_writer: Any, file_plan: Any) -> Snapshot:
    written: Snapshot = corpus_writer(tmp_path / "corpus", file_plan({"train": 8, "val": 8}))
    return written


def _train(snapshot: Snapshot, run_dir: Path, watch: TrialWatch) -> Any:
    torch.set_num_threads(1)
    return train_detector(
        snapshots=[snapshot],
        config=SPACE.config({}),
        run_dir=run_dir,
        name="tried",
        device="cpu",
        num_workers=0,
        callbacks=[watch],
        show_progress=False,
    )


def test_a_training_reports_what_chooses_its_checkpoint(snapshot: Snapshot, tmp_path: Path) -> None:
    reported: list[tuple[int, float]] = []

    def lags(epoch: int, value: float) -> bool:
        reported.append((epoch, value))
        return False

    watch = TrialWatch(lags)
    result = _train(snapshot, tmp_path / "run", watch)
    assert [epoch for epoch, _ in reported] == [0, 1, 2]
    assert watch.metric == "val_auc"
    assert watch.best == max(value for _, value in reported)
    assert result.metrics["val_auc"] == pytest.approx(watch.best, abs=1e-6)


def test_a_training_that_lags_behind_ends_at_once(snapshot: Snapshot, tmp_path: Path) -> None:
    watch = TrialWatch(lambda epoch, _: epoch == 1)
    with pytest.raises(GivenUpError, match="in epoch 1"):
        _train(snapshot, tmp_path / "run", watch)
    assert not (tmp_path / "run" / "bundle").exists()


def test_a_trial_that_lags_behind_is_pruned(snapshot: Snapshot, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    with _open(tmp_path) as study:
        first = study.next_trial()
        study.report(first.number, epoch=0, value=2.0)
        study.complete(first.number, value=2.0, metric="val_auc")
        trial = study.next_trial()
        outcome = train_trial(
            study, trial, snapshot=snapshot, run_dir=tmp_path / "run", name="tried", device="cpu"
        )
    assert (outcome.state, outcome.metric, outcome.metrics) == ("pruned", "val_auc", {})
    assert "in epoch 0" in str(outcome.message)


def test_where_nothing_chooses_there_is_nothing_to_sweep(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    snapshot = corpus_writer(tmp_path / "corpus", file_plan({"train": 8}))
    with pytest.raises(ConfigError, match="nothing tells trials apart"):
        _train(snapshot, tmp_path / "run", TrialWatch(lambda *_: False))
