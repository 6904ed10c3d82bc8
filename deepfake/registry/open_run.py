"""Open and close MLflow runs, and write their parameters and metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepfake.errors import TrackingError
from deepfake.registry.inputs import DatasetUse, log_datasets
from deepfake.registry.mlflow_values import flatten, legal_name
from deepfake.registry.store import client_of, resolve_experiment, translate_mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

__all__ = [
    "TrackedRun",
    "create_run",
    "log_metrics",
    "log_params",
    "mark_running",
    "open_run",
    "run_exists",
    "track_run",
]

_MAX_PARAM_CHARS = 6000
_MAX_TAG_CHARS = 8000
_PARAMS_A_BATCH = 100
_METRICS_A_BATCH = 1000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The MLflow run of a computation.

    Attributes:
        run_id: Of the run; None where the store did not answer.
        warning: Why there is none.
    """

    run_id: str | None
    warning: str | None = None


@contextmanager
def track_run(
    *,
    experiment: str,
    run_name: str,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    datasets: Sequence[DatasetUse] = (),
    run_id: str | None = None,
    uri: str,
) -> Iterator[TrackedRun]:
    """Open a run around a computation and log system metrics; the store cannot make it fail.

    A store that does not answer is a warning; `log_training` creates the run later. An exception
    from within marks the run as failed and is raised again.

    Args:
        experiment: Name, made where there is none.
        run_name: Shown in the UI.
        params: As for `log_training`.
        tags: As for `log_training`.
        datasets: As for `log_training`.
        run_id: A run to continue; None creates one.
        uri: The store.
    """
    opened: tuple[MlflowClient, str] | None = None
    warning: str | None = None
    try:
        client = client_of(uri)
        id_ = run_id or create_run(
            client, experiment=experiment, run_name=run_name, tags=tags, uri=uri
        )
        opened = client, id_
        mark_running(client, id_)
        log_params(client, id_, params or {})
        log_datasets(client, id_, datasets)
    except TrackingError as error:
        warning = str(error)
        _logger.warning("%s; the computation goes on without it", error)
    if opened is None:
        yield TrackedRun(run_id=None, warning=warning)
        return
    with (
        _closed_at_end(*opened),
        _system_metrics(opened[1], is_continued=run_id is not None, uri=uri),
    ):
        yield TrackedRun(run_id=opened[1], warning=warning)


@contextmanager
def open_run(
    experiment: str,
    *,
    run_name: str,
    tags: Mapping[str, str] | None,
    datasets: Sequence[DatasetUse] = (),
    run_id: str | None,
    uri: str,
) -> Iterator[tuple[MlflowClient, str]]:
    """Yield a client and a run that is closed at the end if it was made here.

    Args:
        experiment: Name, made where there is none; not used with `run_id`.
        run_name: Shown in the UI; not used with `run_id`.
        tags: Of the run.
        datasets: What the run has read.
        run_id: A run that is there; None makes one, which is deleted if not all of it could be
            written: it is written again as another one.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri)
    if run_id is not None:
        with translate_mlflow_errors(f"the run {run_id} cannot be used"):
            client.get_run(run_id)
            for key, value in (tags or {}).items():
                client.set_tag(run_id, legal_name(key), str(value)[:_MAX_TAG_CHARS])
        log_datasets(client, run_id, datasets)
        yield client, run_id
        return
    created = create_run(client, experiment=experiment, run_name=run_name, tags=tags, uri=uri)
    try:
        with _closed_at_end(client, created):
            log_datasets(client, created, datasets)
            yield client, created
    except Exception:
        _delete(client, created)
        raise


def _delete(client: MlflowClient, run_id: str) -> None:
    try:
        with translate_mlflow_errors(f"the run {run_id} cannot be deleted"):
            client.delete_run(run_id)
    except TrackingError as error:
        _logger.warning("%s", error)


@contextmanager
def _closed_at_end(client: MlflowClient, run_id: str) -> Iterator[None]:
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except Exception:
        raise
    except BaseException:  # stopped by a person, not by a failure
        status = "KILLED"
        raise
    finally:
        _terminate(client, run_id, status=status)


def create_run(
    client: MlflowClient,
    *,
    experiment: str,
    run_name: str,
    tags: Mapping[str, str] | None,
    uri: str,
) -> str:
    """Create a run and return its id.

    Raises:
        TrackingError: The store refused.
    """
    experiment_id = resolve_experiment(client, experiment, uri=uri)
    plain = {legal_name(key): str(value)[:_MAX_TAG_CHARS] for key, value in (tags or {}).items()}
    with translate_mlflow_errors("a run cannot be made"):
        run = client.create_run(experiment_id, run_name=run_name, tags=plain)
    return str(run.info.run_id)


def run_exists(client: MlflowClient, run_id: str) -> bool:
    """Return whether the store has a run."""
    try:
        with translate_mlflow_errors(f"the run {run_id} is not there"):
            client.get_run(run_id)
    except TrackingError:
        return False
    return True


def mark_running(client: MlflowClient, run_id: str) -> None:
    """Set the status of a run to running.

    Raises:
        TrackingError: The store refused.
    """
    with translate_mlflow_errors(f"the run {run_id} cannot be used"):
        client.update_run(run_id, status="RUNNING")


def _terminate(client: MlflowClient, run_id: str, *, status: str) -> None:
    # The result is there; a store that is gone by now must not discard it.
    try:
        with translate_mlflow_errors(f"the run {run_id} cannot be closed"):
            client.set_terminated(run_id, status=status)
    except TrackingError as error:
        _logger.warning("%s", error)


@contextmanager
def _system_metrics(run_id: str, *, is_continued: bool, uri: str) -> Iterator[None]:
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
            run_id, resume_logging=is_continued, tracking_uri=uri
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


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, Any]) -> None:
    """Write parameters; nested mappings become `outer.inner`.

    MLflow never changes a parameter. One with another value keeps it, and a warning says so.

    Raises:
        TrackingError: The store refused.
    """
    from mlflow.entities import Param

    values = {
        legal_name(key): str(value)[:_MAX_PARAM_CHARS] for key, value in flatten(params).items()
    }
    with translate_mlflow_errors("the parameters cannot be stored"):
        known = client.get_run(run_id).data.params
        for name in values.keys() & known.keys():
            if values[name] != known[name]:
                _logger.warning(
                    "the run %s keeps %s = %s; it was now %s",
                    *(run_id, name, known[name], values[name]),
                )
        entries = [Param(name, value) for name, value in values.items() if name not in known]
        for start in range(0, len(entries), _PARAMS_A_BATCH):
            client.log_batch(run_id, params=entries[start : start + _PARAMS_A_BATCH])


def log_metrics(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    """Write metrics.

    Raises:
        TrackingError: The store refused.
    """
    with translate_mlflow_errors("the metrics cannot be stored"):
        for start in range(0, len(metrics), _METRICS_A_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_BATCH])
