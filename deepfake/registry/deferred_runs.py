"""Log a training to MLflow, or keep it in a file and log it later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepfake.errors import DataError, TrackingError
from deepfake.registry.inputs import DatasetUse
from deepfake.registry.log_runs import log_training
from deepfake.registry.mlflow_values import flatten
from deepfake.registry.open_run import run_exists
from deepfake.registry.store import client_of
from deepfake.storage import read_json, write_json

__all__ = ["PENDING", "log_training_or_defer", "replay", "replay_all"]

PENDING = "mlflow-pending.json"
"""Name of the note of a deferred training in its run's folder."""

_logger = logging.getLogger(__name__)


def log_training_or_defer(*, pending: Path, **training: Any) -> str | None:
    """Log a finished training, or write a note from which `replay` can do it later.

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


def replay_all(runs: Path, *, uri: str) -> list[str]:
    """Log every deferred training below a folder.

    Args:
        runs: The folder of runs, each with its note where it was deferred.
        uri: The store.

    Returns:
        Ids of the logged runs. A training that the store still refuses keeps its note.
    """
    written = []
    for pending in sorted(runs.glob(f"*/{PENDING}")):
        try:
            written.append(replay(pending, uri=uri))
        except TrackingError as error:
            _logger.warning("%s; `%s` is kept for later", error, pending)
    return written


def replay(pending: Path, *, uri: str) -> str:
    """Log a deferred training, remove its note, and return the run's id.

    Args:
        pending: What `log_training_or_defer` wrote.
        uri: The store.

    Raises:
        TrackingError: The store refused again (the note stays), or the note is damaged.
    """
    try:
        note: dict[str, Any] = dict(read_json(pending))
        for name in ("metrics_jsonl", "bundle"):
            note[name] = Path(note[name])
        note["extra_artifacts"] = [Path(path) for path in note.get("extra_artifacts", [])]
        note["datasets"] = [DatasetUse(**used) for used in note.get("datasets", [])]
        note["run_id"] = _known_run(note.get("run_id"), uri=uri)
        run_id = log_training(**note, uri=uri)
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise TrackingError(f"not a note of a deferred training ({error})", path=pending) from error
    pending.unlink()
    return run_id


def _known_run(run_id: str | None, *, uri: str) -> str | None:
    # The run may have been opened in another store, or not at all.
    if run_id is None or not run_exists(client_of(uri), run_id):
        return None
    return run_id


def _as_note(training: Mapping[str, Any]) -> dict[str, Any]:
    note: dict[str, Any] = {}
    for key, value in training.items():
        if key == "uri":
            continue  # may hold credentials, and the store in use later counts
        if isinstance(value, Path):
            note[key] = str(value.absolute())
        elif key == "extra_artifacts":
            note[key] = [str(Path(path).absolute()) for path in value]
        elif key == "datasets":
            note[key] = [asdict(used) for used in value]
        elif key == "params":
            note[key] = {k: str(v) for k, v in flatten(value).items()}
        else:
            note[key] = value
    return note
