"""Record data sets and source of a run, for MLflow's columns Dataset and Source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from deepfake import __version__
from deepfake.registry.store import translate_mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["DatasetUse", "log_datasets", "run_tags"]

_CONTEXT_TAG = "mlflow.data.context"
_MAX_DIGEST_CHARS = 36


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A snapshot that a run has read.

    Attributes:
        name: Of the corpus.
        digest: Of the snapshot.
        source: Where the snapshot is, a path or a URI.
        context: What for.
    """

    name: str
    digest: str
    source: str
    context: Literal["training", "calibration", "evaluation"]


def log_datasets(client: MlflowClient, run_id: str, datasets: Sequence[DatasetUse]) -> None:
    """Write which data a run has read; writing the same again adds nothing.

    Raises:
        TrackingError: The store refused.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if not datasets:
        return
    inputs = [
        DatasetInput(
            Dataset(
                name=used.name,
                digest=used.digest[:_MAX_DIGEST_CHARS],
                source_type=used.source.partition("://")[0] if "://" in used.source else "local",
                source=json.dumps({"uri": used.source}),
            ),
            tags=[InputTag(_CONTEXT_TAG, used.context)],
        )
        for used in datasets
    ]
    with translate_mlflow_errors("the data sets of the run cannot be stored"):
        client.log_inputs(run_id, datasets=inputs)


class _Data(Protocol):
    """A snapshot, which this package does not import."""

    @property
    def corpus(self) -> str: ...
    @property
    def digest(self) -> str: ...


def run_tags(command: str, data: Sequence[_Data], *, stage: str | None = None) -> dict[str, str]:
    """Return the tags that say which command has made a run, and of what.

    Args:
        command: Which, such as `train`.
        data: Snapshots that it has read.
        stage: Kind of run, by which runs are found again; None: the command's name.

    Example:
        >>> run_tags("robustness", [], stage="evaluate")["mlflow.source.name"]
        'deepfake robustness'
    """
    return {
        "stage": stage or command,
        "corpus": ", ".join(one.corpus for one in data),
        **{f"data.{one.corpus}": one.digest for one in data},
        "code_version": __version__,
        "mlflow.source.name": f"deepfake {command}",
        "mlflow.source.type": "LOCAL",
    }
