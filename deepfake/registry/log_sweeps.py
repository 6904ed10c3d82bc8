"""Log a sweep as an MLflow run, with a run below it for each trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from deepfake.registry.inputs import DatasetUse, log_datasets
from deepfake.registry.log_runs import BUNDLE_ARTIFACT
from deepfake.registry.mlflow_values import legal_name, metric_points, read_metrics_lines
from deepfake.registry.open_run import (
    create_run,
    log_metrics,
    log_params,
    mark_running,
    run_exists,
)
from deepfake.registry.store import client_of, translate_mlflow_errors

__all__ = ["begin_sweep", "end_sweep", "log_trial"]


def begin_sweep(
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    datasets: Sequence[DatasetUse] = (),
    run_id: str | None = None,
    uri: str,
) -> str:
    """Create the run of a sweep, or reopen it, and return its id.

    Args:
        experiment: Name, made where there is none.
        run_name: Shown in the UI.
        params: Nested mappings become `outer.inner`.
        tags: Such as data digests.
        datasets: What its trials learn from.
        run_id: Of the sweep that is continued; a new one where the store does not know it.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri)
    if run_id is not None and run_exists(client, run_id):
        mark_running(client, run_id)
        return run_id
    created = create_run(client, experiment=experiment, run_name=run_name, tags=tags, uri=uri)
    log_params(client, created, params)
    log_datasets(client, created, datasets)
    return created


def log_trial(
    run_id: str,
    *,
    metrics_jsonl: Path,
    metrics: Mapping[str, Any],
    tags: Mapping[str, str],
    uri: str,
) -> None:
    """Log the metrics of a trial to its run.

    Args:
        run_id: Of the trial.
        metrics_jsonl: Of its epochs; may be lacking.
        metrics: Of the whole; what is no number is left out.
        tags: How it ended.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri)
    points = read_metrics_lines(metrics_jsonl) if metrics_jsonl.is_file() else []
    points += metric_points(metrics)
    log_metrics(client, run_id, points)
    with translate_mlflow_errors("the trial cannot be stored"):
        for key, value in tags.items():
            client.set_tag(run_id, legal_name(key), value)


def end_sweep(
    run_id: str,
    *,
    status: Literal["FINISHED", "FAILED", "KILLED"],
    metrics: Mapping[str, Any],
    artifacts: Sequence[Path] = (),
    bundle: Path | None = None,
    uri: str,
) -> None:
    """Log the result of a sweep to its run, and close it.

    Args:
        run_id: From `begin_sweep`.
        status: How it ended.
        metrics: Of the best trial.
        artifacts: Files kept under `sweep/`.
        bundle: The best detector, kept as the artifact `detector/`.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri)
    log_metrics(client, run_id, metric_points(metrics))
    with translate_mlflow_errors("the sweep cannot be stored"):
        for path in artifacts:
            client.log_artifact(run_id, str(path), artifact_path="sweep")
        if bundle is not None:
            client.log_artifacts(run_id, str(bundle), artifact_path=BUNDLE_ARTIFACT)
        client.set_terminated(run_id, status=status)
