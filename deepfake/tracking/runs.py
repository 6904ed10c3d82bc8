"""Training runs and evaluations in the tracking store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake.errors import DataError, TrackingError
from deepfake.storage import read_json, write_json
from deepfake.tracking.records import flat, legal_name, numbers_of, read_metrics
from deepfake.tracking.store import (
    client_of,
    is_absent,
    resolve_experiment,
    tracking_uri,
    translated,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

__all__ = [
    "BUNDLE_ARTIFACT",
    "TrackedRun",
    "find_training",
    "log_evaluation",
    "log_training",
    "log_training_or_defer",
    "replay",
    "tracked_run",
]

BUNDLE_ARTIFACT = "detector"
"""Where the bundle's folder lies among a run's artifacts."""

_MAX_PARAM_CHARS = 6000
_MAX_TAG_CHARS = 8000
_PARAMS_A_BATCH = 100
_METRICS_A_BATCH = 1000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A run that is open while something is computed.

    Attributes:
        run_id: Of the run; None where the store did not answer.
        warning: Why there is none.
    """

    run_id: str | None
    warning: str | None = None


@contextmanager
def tracked_run(
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    uri: str | None = None,
) -> Iterator[TrackedRun]:
    """Open a run with system metrics around a computation, which never fails because of the store.

    A store that does not answer is a warning; `log_training` makes the run later. An exception from
    within ends the run as failed and goes on.

    Args:
        experiment: Name, made where there is none.
        run_name: Shown in the UI.
        params: As for `log_training`.
        tags: As for `log_training`.
        uri: The store; None means the one in use.
    """
    chosen = uri or tracking_uri()
    opened: tuple[MlflowClient, str] | None = None
    warning: str | None = None
    try:
        client = client_of(chosen)
        id_ = _create_run(client, experiment=experiment, run_name=run_name, tags=tags, uri=chosen)
        opened = client, id_
        _log_params(client, id_, params or {})
    except TrackingError as error:
        warning = str(error)
        _logger.warning("%s; the computation goes on without it", error)
    if opened is None:
        yield TrackedRun(run_id=None, warning=warning)
        return
    with _closed_at_end(*opened), _system_metrics(opened[1], uri=chosen):
        yield TrackedRun(run_id=opened[1], warning=warning)


def log_training(
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any],
    metrics_jsonl: Path,
    bundle: Path,
    tags: Mapping[str, str] | None = None,
    extra_artifacts: Sequence[Path] = (),
    run_id: str | None = None,
    uri: str | None = None,
) -> str:
    """Write a finished training into the store and return the run's id.

    Args:
        experiment: Name, made where there is none; not used with `run_id`.
        run_name: Shown in the UI; not used with `run_id`.
        params: Nested mappings become `outer.inner`.
        metrics_jsonl: Lines of `epoch`, `step`, `name`, `value` (and `timestamp`, seconds, where
            known, else the file's own time). A last line that was cut off is left out.
        bundle: The detector's folder, kept as the artifact `detector/`.
        tags: Such as data digests.
        extra_artifacts: Files and folders kept under `training/`.
        run_id: A run that is there, such as `tracked_run` made; None makes one.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused, or a file is missing.
    """
    metrics = read_metrics(metrics_jsonl)
    if not bundle.is_dir():
        raise TrackingError("the detector bundle is not a folder", path=bundle)
    with _open_run(experiment, run_name=run_name, tags=tags, run_id=run_id, uri=uri) as (
        client,
        id_,
    ):
        _log_params(client, id_, params)
        _log_metrics(client, id_, metrics)
        with translated("the artifacts cannot be stored"):
            client.log_artifacts(id_, str(bundle), artifact_path=BUNDLE_ARTIFACT)
            for path in (metrics_jsonl, *extra_artifacts):
                _log_path(client, id_, path, folder="training")
    return id_


def log_training_or_defer(*, pending: Path, **training: Any) -> str | None:
    """Write a finished training into the store, or note down how to do so later.

    Args:
        pending: The note for `replay`, written only where the store failed.
        training: As for `log_training`.

    Returns:
        The run's id, None where it was deferred.
    """
    try:
        return log_training(**training)
    except TrackingError as error:
        _logger.warning("%s; `%s` keeps what is to be logged", error, pending)
        write_json(pending, _as_note(training))
        return None


def replay(pending: Path, *, uri: str | None = None) -> str:
    """Write a deferred training into the store, remove the note, and return the run's id.

    Args:
        pending: What `log_training_or_defer` wrote.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused again (the note stays), or the note is damaged.
    """
    try:
        note: dict[str, Any] = dict(read_json(pending))
        for name in ("metrics_jsonl", "bundle"):
            note[name] = Path(note[name])
        note["extra_artifacts"] = [Path(path) for path in note.get("extra_artifacts", [])]
        note["run_id"] = _known_run(note.get("run_id"), uri=uri)
        run_id = log_training(**note, uri=uri)
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise TrackingError(f"not a note of a deferred training ({error})", path=pending) from error
    pending.unlink()
    return run_id


def _known_run(run_id: str | None, *, uri: str | None) -> str | None:
    # The run may have been opened in another store, or not at all.
    if run_id is None:
        return None
    client = client_of(uri or tracking_uri())
    try:
        with translated(f"the run {run_id} is not there"):
            client.get_run(run_id)
    except TrackingError:
        return None
    return run_id


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
    run_id: str | None = None,
    trained_by: str | None = None,
    uri: str | None = None,
) -> str:
    """Write an evaluation into the store and return the run's id.

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
        run_id: A run that is there; None makes one.
        trained_by: The run that trained the detector: the evaluation hangs below it, and its
            numbers stand there too, so that one row of the UI tells all of a detector.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused.
    """
    metrics = _metrics_of(report, prefix=prefix)
    all_tags = dict(tags or {})
    if trained_by is not None:
        all_tags["mlflow.parentRunId"] = trained_by
    if markdown is not None:
        all_tags["mlflow.note.content"] = markdown
    opened = _open_run(experiment, run_name=run_name, tags=all_tags, run_id=run_id, uri=uri)
    with opened as (client, id_):
        _log_params(client, id_, params or {})
        _log_metrics(client, id_, metrics)
        with translated("the artifacts cannot be stored"):
            client.log_dict(id_, dict(report), "evaluation/report.json")
            if markdown is not None:
                client.log_text(id_, markdown, "evaluation/summary.md")
            if figures is not None and figures.is_dir():
                client.log_artifacts(id_, str(figures), artifact_path="evaluation")
        if trained_by is not None:
            where = f"{all_tags.get('corpus', 'data')}-{(params or {}).get('split', 'all')}"
            _log_metrics(client, trained_by, _metrics_of(report, prefix=f"{where}/"))
    return id_


def _metrics_of(report: Mapping[str, Any], *, prefix: str) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(legal_name(prefix + name), value, now, 0)
        for name, value in numbers_of(report.get("summary", report)).items()
    ]


def find_training(model_digest: str, *, experiment: str, uri: str | None = None) -> str | None:
    """Return the run that trained or calibrated a detector, None where the store knows of none.

    Args:
        model_digest: The bundle's digest, a tag of the run.
        experiment: Where it was recorded.
        uri: The store; None means the one in use.

    Raises:
        TrackingError: The store refused.
    """
    chosen = uri or tracking_uri()
    if is_absent(chosen):
        return None
    client = client_of(chosen)
    with translated("the run that trained the detector cannot be looked up"):
        runs = client.search_runs(
            [resolve_experiment(client, experiment, uri=chosen)],
            filter_string=f"tags.model_digest = '{model_digest}' and tags.stage != 'evaluate'",
            max_results=1,
        )
    return str(runs[0].info.run_id) if runs else None


@contextmanager
def _open_run(
    experiment: str,
    *,
    run_name: str,
    tags: Mapping[str, str] | None,
    run_id: str | None,
    uri: str | None,
) -> Iterator[tuple[MlflowClient, str]]:
    chosen = uri or tracking_uri()
    client = client_of(chosen)
    if run_id is not None:
        with translated(f"the run {run_id} cannot be used"):
            client.get_run(run_id)
            for key, value in (tags or {}).items():
                client.set_tag(run_id, legal_name(key), str(value)[:_MAX_TAG_CHARS])
        yield client, run_id
        return
    created = _create_run(client, experiment=experiment, run_name=run_name, tags=tags, uri=chosen)
    with _closed_at_end(client, created):
        yield client, created


@contextmanager
def _closed_at_end(client: MlflowClient, run_id: str) -> Iterator[None]:
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        _terminate(client, run_id, status=status)


def _create_run(
    client: MlflowClient,
    *,
    experiment: str,
    run_name: str,
    tags: Mapping[str, str] | None,
    uri: str,
) -> str:
    experiment_id = resolve_experiment(client, experiment, uri=uri)
    plain = {legal_name(key): str(value)[:_MAX_TAG_CHARS] for key, value in (tags or {}).items()}
    with translated("a run cannot be made"):
        run = client.create_run(experiment_id, run_name=run_name, tags=plain)
    return str(run.info.run_id)


def _terminate(client: MlflowClient, run_id: str, *, status: str) -> None:
    # What was computed stands; a store that is gone by now must not undo it.
    try:
        with translated(f"the run {run_id} cannot be closed"):
            client.set_terminated(run_id, status=status)
    except TrackingError as error:
        _logger.warning("%s", error)


@contextmanager
def _system_metrics(run_id: str, *, uri: str) -> Iterator[None]:
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
            run_id, tracking_uri=uri
        )
    except Exception as error:  # a missing sensor or psutil is no reason to stop
        _logger.warning("no system metrics (%s)", error)
        yield
        return
    monitor.start()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        monitor.finish()  # type: ignore[no-untyped-call]


def _log_params(client: MlflowClient, run_id: str, params: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    entries = [
        Param(legal_name(key), str(value)[:_MAX_PARAM_CHARS]) for key, value in flat(params).items()
    ]
    with translated("the parameters cannot be stored"):
        for start in range(0, len(entries), _PARAMS_A_BATCH):
            client.log_batch(run_id, params=entries[start : start + _PARAMS_A_BATCH])


def _log_metrics(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    with translated("the metrics cannot be stored"):
        for start in range(0, len(metrics), _METRICS_A_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_BATCH])


def _log_path(client: MlflowClient, run_id: str, path: Path, *, folder: str) -> None:
    if path.is_dir():
        client.log_artifacts(run_id, str(path), artifact_path=f"{folder}/{path.name}")
    else:
        client.log_artifact(run_id, str(path), artifact_path=folder)


def _as_note(training: Mapping[str, Any]) -> dict[str, Any]:
    note: dict[str, Any] = {}
    for key, value in training.items():
        if key == "uri":
            continue  # may hold credentials, and the store in use later counts
        if isinstance(value, Path):
            note[key] = str(value.absolute())
        elif key == "extra_artifacts":
            note[key] = [str(Path(path).absolute()) for path in value]
        elif key == "params":
            note[key] = {k: str(v) for k, v in flat(value).items()}
        else:
            note[key] = value
    return note
