"""Convert snapshots to MLflow data sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from deepfake.corpora.shards import Snapshot
from deepfake.registry import DatasetUse
from deepfake.storage import to_uri

__all__ = ["dataset_uses"]


def dataset_uses(
    snapshots: Iterable[Snapshot], *, context: Literal["training", "calibration", "evaluation"]
) -> list[DatasetUse]:
    """Return what a run has read, for its record in MLflow."""
    return [
        DatasetUse(s.corpus, s.digest, source=to_uri(s.folder), context=context) for s in snapshots
    ]
