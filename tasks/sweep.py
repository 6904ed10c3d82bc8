"""The trials of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.corpora.shards import Snapshot
from deepfake.errors import TrackingError
from deepfake.registry import PARENT_TAG, log_trial, track_run
from deepfake.training.tuning import Trial, TrialOutcome, TuningStudy, train_trial
from tasks.datasets import dataset_uses

__all__ = ["run_trial"]


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
    with track_run(
        experiment="deepfake",
        run_name=f"{name}-{number:03d}",
        params=trial.config.model_dump(),
        tags=own,
        datasets=dataset_uses([snapshot], context="training"),
        uri=uri,
    ) as run:
        outcome = train_trial(
            study, trial, snapshot=snapshot, run_dir=run_dir, name=name, device=device
        )
        if run.run_id is not None:
            _record(run.run_id, outcome, run_dir=run_dir, uri=uri)
    # A resumed sweep begins the trial anew.
    shutil.rmtree(run_dir / "checkpoints", ignore_errors=True)
    return outcome


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
