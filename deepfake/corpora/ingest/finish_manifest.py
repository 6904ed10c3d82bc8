"""Check probed rows against each other, assign groups and splits, and write the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deepfake.config import MediaLimits, SplitConfig
from deepfake.corpora.ingest.plan import limits_of_latest
from deepfake.corpora.layouts import check_contradictions
from deepfake.corpora.manifest import read_manifest, write_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import assign_splits, read_assignments, write_assignments
from deepfake.errors import DataError
from deepfake.storage import DataRoot
from deepfake.types import Status

__all__ = ["finish_manifest", "read_previous_rows"]


def read_previous_rows(
    root: DataRoot, corpus: str, *, limits: MediaLimits | None = None
) -> list[ManifestRow]:
    """Return the rows of the corpus's last manifest; none if it is missing or cannot be read.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        limits: Leave out files that were too large under other limits than these; None keeps them.
    """
    path = root.manifest(corpus)
    try:
        rows = read_manifest(path) if path.is_file() else []
    except DataError:
        return []
    if limits is None or limits_of_latest(root, corpus) == limits:
        return rows
    return [row for row in rows if row.status is not Status.TOO_LARGE]


def finish_manifest(
    root: DataRoot, corpus: str, rows: Sequence[ManifestRow], *, split: SplitConfig
) -> tuple[list[ManifestRow], dict[str, Any]]:
    """Check probed rows against each other, assign groups and splits, and write the manifest.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        rows: Scanned and probed.
        split: How groups are given to splits.

    Returns:
        The rows as written, and notes on the split for people.

    Raises:
        SplitLeakageError: The corpus's own lists leak.
    """
    checked = check_contradictions(rows)
    path = root.splits / f"{corpus}.json"
    previous = read_assignments(path) if path.is_file() else None
    result = assign_splits(checked, config=split, assignments=previous)
    write_assignments(path, result.assignments)
    write_manifest(root.manifest(corpus), result.rows)
    notes = {
        "strategy": result.strategy,
        "shared_identities": [asdict(shared) for shared in result.shared_identities],
        "notes": list(result.notes),
    }
    return list(result.rows), notes
