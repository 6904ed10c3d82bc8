"""The trials of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.corpora.shards import Snapshot
from deepfake.errors import ModelError, TrackingError
from deepfake.registry import PARENT_TAG, log_trial, tracked_run
from deepfake.training import train_detector
from deepfake.training.tuning import GivenUpError, Trial, TrialWatch, TuningStudy
from tasks.datasets import dataset_uses

__all__ = ["TrialOutcome", "run_trial"]


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What came of a trial.

    Attributes:
        state: How it ended.
        metric: Name of what it was chosen by; None where no epoch ended.
        value: The best of its epochs.
        metrics: As in the bundle; empty where there is none.
        message: Why it failed.
    """

    state: Literal["complete", "pruned", "failed"]
    metric: str | None
    value: float | None
    metrics: dict[str, Any]
    message: str | None = None


@task(name="run-trial", task_run_name="trial-{number}", cache_policy=NO_CACHE)
def run_trial(
    study: TuningStudy,
    trial: Trial,
    *,
    number: int,
    snapshot: Snapshot,
    run_dir: Path,
    name: str,
    device: str,
    tags: Mapping[str, str],
    parent: str | None,
    uri: str,
) -> TrialOutcome:
    """Train with the settings of a trial, in an MLflow run below that of the sweep."""
    own = {**tags, "trial": str(number), **({} if parent is None else {PARENT_TAG: parent})}
    watch = TrialWatch(lambda epoch, value: study.report(number, epoch=epoch, value=value))
    with tracked_run(
        experiment="deepfake",
        run_name=f"{name}-{number:03d}",
        params=trial.config.model_dump(),
        tags=own,
        datasets=dataset_uses([snapshot], context="training"),
        uri=uri,
    ) as run:
        outcome = _trained(
            trial, watch, snapshot=snapshot, run_dir=run_dir, name=name, device=device
        )
        if run.run_id is not None:
            _record(run.run_id, outcome, run_dir=run_dir, uri=uri)
    # A resumed sweep begins the trial anew.
    shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    return outcome


def _trained(
    trial: Trial,
    watch: TrialWatch,
    *,
    snapshot: Snapshot,
    run_dir: Path,
    name: str,
    device: str,
) -> TrialOutcome:
    try:
        result = train_detector(
            snapshots=[snapshot],
            config=trial.config,
            run_dir=run_dir,
            name=name,
            device=device,
            callbacks=[watch],
        )
    except GivenUpError as error:
        return TrialOutcome("pruned", watch.metric, watch.best, {}, str(error))
    except ModelError as error:
        return TrialOutcome("failed", watch.metric, watch.best, {}, error.message)
    return TrialOutcome("complete", watch.metric, watch.best, dict(result.metrics))


def _record(run_id: str, outcome: TrialOutcome, *, run_dir: Path, uri: str) -> None:
    try:
        log_trial(
            run_id,
            metrics_jsonl=run_dir / "metrics.jsonl",
            # One name whatever the metric is, for charts over all trials.
            metrics={**outcome.metrics, "objective": outcome.value},
            tags={"outcome": outcome.state, "objective": outcome.metric or "none"},
            uri=uri,
        )
    except TrackingError as error:
        get_run_logger().warning("%s; the trial's numbers lie in %s", error, run_dir)
