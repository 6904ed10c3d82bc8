"""What the run of a registered version says of its detector: network, data, how good it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepfake.registry.store import client_of, translate_mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["MeasuredAuc", "VersionRun", "read_version_run"]

_EVALUATED = "/video_auc"
_ON_VAL = {
    "val_auc": "val",
    "val_calibration_video_auc": "val, videos",
    "val_calibration_still_auc": "val, stills",
}
"""By metric, the files that it is of; where the detector was never evaluated."""


@dataclass(frozen=True, slots=True)
class MeasuredAuc:
    """An AUC that is on record.

    Attributes:
        value: The AUC.
        interval: Ends of its 95 % interval; None where none was estimable.
        files: What it was measured on, as `corpus-split`.
    """

    value: float
    interval: tuple[float, float] | None
    files: str


@dataclass(frozen=True, slots=True)
class VersionRun:
    """The run that a registered version was made by.

    Attributes:
        name: Of the run.
        architecture: Of the network; None where it is not on record.
        auc: Of the newest evaluation, else on `val`; None where there is none.
    """

    name: str
    architecture: str | None
    auc: MeasuredAuc | None


def read_version_run(run_id: str, *, uri: str) -> VersionRun:
    """Return what the run of a version says of it.

    Raises:
        TrackingError: There is no such run, or the store refused.
    """
    client = client_of(uri)
    with translate_mlflow_errors(f"the run {run_id} cannot be read"):
        run = client.get_run(run_id)
        auc = _newest_evaluation(client, run) or _on_val(run)
    params = run.data.params
    return VersionRun(
        name=str(run.info.run_name),
        architecture=params.get("architecture") or params.get("model"),
        auc=auc,
    )


def _newest_evaluation(client: MlflowClient, run: Run) -> MeasuredAuc | None:
    metrics = run.data.metrics
    when = {
        name: client.get_metric_history(run.info.run_id, name)[-1].timestamp
        for name in metrics
        if name.endswith(_EVALUATED)
    }
    if not when:
        return None
    newest = max(when, key=lambda name: (when[name], name))
    low, high = metrics.get(f"{newest}_low"), metrics.get(f"{newest}_high")
    return MeasuredAuc(
        value=metrics[newest],
        interval=None if low is None or high is None else (low, high),
        files=newest.removesuffix(_EVALUATED),
    )


def _on_val(run: Run) -> MeasuredAuc | None:
    for name, files in _ON_VAL.items():
        if name in run.data.metrics:
            return MeasuredAuc(run.data.metrics[name], interval=None, files=files)
    return None
