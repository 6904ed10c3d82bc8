"""Log trainings, evaluations and decisions as MLflow runs, and find such runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake.errors import TrackingError
from deepfake.registry.inputs import DatasetUse
from deepfake.registry.mlflow_values import (
    legal_name,
    metric_points,
    numeric_values,
    read_metrics_lines,
)
from deepfake.registry.open_run import log_metrics, log_params, open_run
from deepfake.registry.store import (
    client_of,
    is_absent,
    resolve_experiment,
    translate_mlflow_errors,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

__all__ = [
    "BUNDLE_ARTIFACT",
    "PARENT_TAG",
    "find_run",
    "find_training",
    "log_decision",
    "log_evaluation",
    "log_training",
    "metrics_of_run",
]

PARENT_TAG = "mlflow.parentRunId"
"""Tag that places a run below another one in the UI."""

BUNDLE_ARTIFACT = "detector"
"""Path of the bundle among a run's artifacts."""


def log_training(
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any],
    metrics_jsonl: Path,
    bundle: Path,
    metrics: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    extra_artifacts: Sequence[Path] = (),
    datasets: Sequence[DatasetUse] = (),
    run_id: str | None = None,
    uri: str,
) -> str:
    """Log a finished training and return the run's id.

    Args:
        experiment: Name, made where there is none; not used with `run_id`.
        run_name: Shown in the UI; not used with `run_id`.
        params: Nested mappings become `outer.inner`.
        metrics_jsonl: Lines of `epoch`, `step`, `name`, `value` (and `timestamp`, seconds, where
            known, else the file's own time). A last line that was cut off is left out.
        bundle: The detector's folder, kept as the artifact `detector/`.
        metrics: Of the finished detector. Left out are values that are no numbers, and metrics that
            an epoch has logged.
        tags: Such as data digests.
        extra_artifacts: Files and folders kept under `training/`.
        datasets: What the run has read.
        run_id: A run that is there, such as `track_run` made; None makes one.
        uri: The store.

    Raises:
        TrackingError: The store refused, or a file is missing.
    """
    points = _all_metrics(metrics_jsonl, final=metrics or {})
    if not bundle.is_dir():
        raise TrackingError("the detector bundle is not a folder", path=bundle)
    opened = open_run(
        experiment, run_name=run_name, tags=tags, datasets=datasets, run_id=run_id, uri=uri
    )
    with opened as (client, id_):
        log_params(client, id_, params)
        log_metrics(client, id_, points)
        with translate_mlflow_errors("the artifacts cannot be stored"):
            client.log_artifacts(id_, str(bundle), artifact_path=BUNDLE_ARTIFACT)
            for path in (metrics_jsonl, *extra_artifacts):
                _log_path(client, id_, path, folder="training")
            # The process that opened the run may have ended without closing it.
            client.set_terminated(id_)
    return id_


def _all_metrics(metrics_jsonl: Path, *, final: Mapping[str, Any]) -> list[Metric]:
    from mlflow.entities import Metric

    points = read_metrics_lines(metrics_jsonl)
    logged = {point.key for point in points}
    # With the file's time, logging them again adds no points.
    stamp = int(metrics_jsonl.stat().st_mtime * 1000)
    rest = {legal_name(name): value for name, value in numeric_values(final).items()}
    return [*points, *(Metric(k, v, stamp, 0) for k, v in rest.items() if k not in logged)]


def log_decision(
    folder: Path,
    *,
    experiment: str,
    run_name: str,
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    markdown: str,
    parent_run_id: str | None = None,
    datasets: Sequence[DatasetUse] = (),
    run_id: str | None = None,
    uri: str,
) -> str:
    """Log a promotion decision, and return its run's id.

    Args:
        folder: Its files, kept as the artifact `decision/`.
        experiment: Name, made where there is none.
        run_name: Shown in the UI.
        metrics: Its numbers.
        tags: Such as its outcome.
        markdown: Shown as the run's description.
        parent_run_id: The run that trained the detector.
        datasets: What both detectors were measured on.
        run_id: A run that is there, written again; None makes one.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    all_tags = {**tags, "mlflow.note.content": markdown}
    if parent_run_id is not None:
        all_tags[PARENT_TAG] = parent_run_id
    opened = open_run(
        experiment, run_name=run_name, tags=all_tags, datasets=datasets, run_id=run_id, uri=uri
    )
    with opened as (client, id_):
        log_metrics(client, id_, metric_points(metrics))
        with translate_mlflow_errors("the decision cannot be stored"):
            client.log_artifacts(id_, str(folder), artifact_path="decision")
    return id_


def log_evaluation(
    report: Mapping[str, Any],
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    figures: Path | None = None,
    markdown: str | None = None,
    prefix: str = "",
    datasets: Sequence[DatasetUse] = (),
    run_id: str | None = None,
    trained_by: str | None = None,
    uri: str,
) -> str:
    """Log an evaluation and return the run's id.

    Args:
        report: `EvaluationResult.to_json()`; its `summary` becomes the metrics (`video_auc`,
            `frame_auc`, `matched_auc`), all of it the artifact `evaluation/report.json`.
        experiment: Name, made where there is none; not used with `run_id`.
        run_name: Shown in the UI; not used with `run_id`.
        params: Nested mappings become `outer.inner`.
        tags: Such as data digests, the detector's digest, the run that trained it.
        figures: A folder kept under `evaluation/`; absent where there was nothing to draw.
        markdown: Kept as `evaluation/summary.md` and shown as the run's description.
        prefix: Before each metric's name, to tell several evaluations in one run apart.
        datasets: What the detector was measured on.
        run_id: A run that is there; None makes one.
        trained_by: The run that trained the detector: the evaluation hangs below it, and its
            numbers stand there too, so that one row of the UI shows all of a detector.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    summary = report.get("summary", report)
    all_tags = dict(tags or {})
    if trained_by is not None:
        all_tags[PARENT_TAG] = trained_by
    if markdown is not None:
        all_tags["mlflow.note.content"] = markdown
    opened = open_run(
        experiment, run_name=run_name, tags=all_tags, datasets=datasets, run_id=run_id, uri=uri
    )
    with opened as (client, id_):
        log_params(client, id_, params or {})
        log_metrics(client, id_, metric_points(summary, prefix=prefix))
        with translate_mlflow_errors("the artifacts cannot be stored"):
            client.log_dict(id_, dict(report), "evaluation/report.json")
            if markdown is not None:
                client.log_text(id_, markdown, "evaluation/summary.md")
            if figures is not None and figures.is_dir():
                client.log_artifacts(id_, str(figures), artifact_path="evaluation")
        if trained_by is not None:
            where = f"{all_tags.get('corpus', 'data')}-{(params or {}).get('split', 'all')}"
            log_metrics(client, trained_by, metric_points(summary, prefix=f"{where}/"))
    return id_


def find_training(model_digest: str, *, experiment: str, uri: str) -> str | None:
    """Return the run that trained or calibrated a detector, None where the store knows of none.

    Args:
        model_digest: The bundle's digest, a tag of the run.
        experiment: Where it was recorded.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    return _find_run(
        f"tags.model_digest = '{model_digest}' and tags.stage != 'evaluate' "
        "and tags.stage != 'decision'",
        experiment=experiment,
        uri=uri,
    )


def find_run(
    tags: Mapping[str, str], *, experiment: str, run_name: str | None = None, uri: str
) -> str | None:
    """Return the newest run that has all of these tags, None where there is none.

    Args:
        tags: Names and values.
        experiment: Where it was recorded.
        run_name: Its name; None for any.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    wanted = [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
    if run_name is not None:
        wanted.append(f"attributes.run_name = '{run_name}'")
    return _find_run(" and ".join(wanted), experiment=experiment, uri=uri)


def metrics_of_run(run_id: str, *, uri: str) -> dict[str, float]:
    """Return the last value of each metric of a run, without those of the system.

    Raises:
        TrackingError: There is no such run, or the store refused.
    """
    client = client_of(uri)
    with translate_mlflow_errors(f"the run {run_id} cannot be read"):
        found = client.get_run(run_id).data.metrics
    return {name: value for name, value in found.items() if not name.startswith("system/")}


def _find_run(wanted: str, *, experiment: str, uri: str) -> str | None:
    if is_absent(uri):
        return None
    client = client_of(uri)
    with translate_mlflow_errors("a run cannot be looked up"):
        runs = client.search_runs(
            [resolve_experiment(client, experiment, uri=uri)],
            filter_string=wanted,
            max_results=1,
        )
    return str(runs[0].info.run_id) if runs else None


def _log_path(client: MlflowClient, run_id: str, path: Path, *, folder: str) -> None:
    if path.is_dir():
        client.log_artifacts(run_id, str(path), artifact_path=f"{folder}/{path.name}")
    else:
        client.log_artifact(run_id, str(path), artifact_path=folder)
