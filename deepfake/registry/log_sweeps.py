"""Sweeps in the tracking store: a run for the whole, and one below it for each trial."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deepfake.errors import TrackingError
from deepfake.registry.mlflow_values import flat, legal_name, numbers_of, read_metrics
from deepfake.registry.store import client_of, resolve_experiment, tracking_uri, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

__all__ = ["PARENT_TAG", "begin_sweep", "end_sweep", "log_trial"]

PARENT_TAG = "mlflow.parentRunId"
"""Of a run that hangs below another one in the UI."""

_BATCH = 500


def begin_sweep(
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    run_id: str | None = None,
    uri: str | None = None,
) -> str:
    """Open the run of a sweep, or the one that it has already, and return its id.

    Args:
        experiment: Name, made where there is none.
        run_name: Shown in the UI.
        params: Nested mappings become `outer.inner`.
        tags: Such as data digests.
        run_id: Of the sweep that is gone on with; a new one where the store does not know it.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused.
    """
    from mlflow.entities import Param

    chosen = uri or tracking_uri()
    client = client_of(chosen)
    if run_id is not None and _is_known(client, run_id):
        with translated("the run of the sweep cannot be opened"):
            client.update_run(run_id, status="RUNNING")
        return run_id
    experiment_id = resolve_experiment(client, experiment, uri=chosen)
    plain = {legal_name(key): str(value) for key, value in tags.items()}
    entries = [Param(legal_name(key), str(value)) for key, value in flat(params).items()]
    with translated("the run of the sweep cannot be made"):
        run = client.create_run(experiment_id, run_name=run_name, tags=plain)
        client.log_batch(run.info.run_id, params=entries)
    return str(run.info.run_id)


def _is_known(client: MlflowClient, run_id: str) -> bool:
    try:
        with translated(f"the run {run_id} is not there"):
            client.get_run(run_id)
    except TrackingError:
        return False
    return True


def log_trial(
    run_id: str,
    *,
    metrics_jsonl: Path,
    metrics: Mapping[str, Any],
    tags: Mapping[str, str],
    uri: str | None = None,
) -> None:
    """Write what a trial measured into its run.

    Args:
        run_id: Of the trial.
        metrics_jsonl: Of its epochs; may be lacking.
        metrics: Of the whole; what is no number is left out.
        tags: How it ended.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri or tracking_uri())
    points = read_metrics(metrics_jsonl) if metrics_jsonl.is_file() else []
    points += _points(metrics)
    with translated("the trial cannot be stored"):
        for start in range(0, len(points), _BATCH):
            client.log_batch(run_id, metrics=points[start : start + _BATCH])
        for key, value in tags.items():
            client.set_tag(run_id, legal_name(key), value)


def end_sweep(
    run_id: str,
    *,
    status: Literal["FINISHED", "FAILED", "KILLED"],
    metrics: Mapping[str, Any],
    artifacts: Sequence[Path] = (),
    bundle: Path | None = None,
    uri: str | None = None,
) -> None:
    """Write what came of a sweep into its run, and close it.

    Args:
        run_id: From `begin_sweep`.
        status: How it ended.
        metrics: Of the best trial.
        artifacts: Files kept under `sweep/`.
        bundle: The best detector, kept as the artifact `detector/`.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri or tracking_uri())
    with translated("the sweep cannot be stored"):
        client.log_batch(run_id, metrics=_points(metrics))
        for path in artifacts:
            client.log_artifact(run_id, str(path), artifact_path="sweep")
        if bundle is not None:
            client.log_artifacts(run_id, str(bundle), artifact_path="detector")
        client.set_terminated(run_id, status=status)


def _points(metrics: Mapping[str, Any]) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(legal_name(k), v, now, 0) for k, v in numbers_of(metrics).items()]
