"""What an ingest left: counts, files that failed, and what it added."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from deepfake.corpora.shards import FACES, SYNC, VOICE, Snapshot, open_snapshot
from deepfake.errors import DataError
from deepfake.storage import DataRoot, read_json
from deepfake.storage.event_log import log_event
from deepfake.types import EXPECTED_STATUSES, Status

__all__ = [
    "failed_files",
    "ingest_summary",
    "log_failed_files",
    "media_used",
    "newest_snapshot",
    "run_numbers",
]

_RECORDS = {FACES: "crops", VOICE: "windows of speech", SYNC: "runs of mouths"}

_USED = (str(Status.OK), str(Status.NO_FACE), str(Status.NO_SPEECH))


def failed_files(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the files with an unexpected status."""
    return outcomes[~outcomes["status"].isin([str(status) for status in EXPECTED_STATUSES])]


def log_failed_files(snapshot: Snapshot) -> None:
    """Log each file with an unexpected status as an event of the run."""
    columns = ["media_id", "uri", "status", "error_type", "message"]
    for row in failed_files(snapshot.outcomes())[columns].to_dict("records"):
        log_event("file failed", **{str(name): value for name, value in row.items()})


def run_numbers(snapshot: Snapshot, *, num_probed: int) -> dict[str, Any]:
    """Return the numbers that the log keeps of an ingest.

    Args:
        snapshot: As written.
        num_probed: Files that were probed.
    """
    outcomes = snapshot.outcomes()
    return {
        "snapshot": snapshot.digest,
        "num_files": len(outcomes),
        "num_probed": num_probed,
        "statuses": dict(Counter(outcomes["status"])),
    }


def ingest_summary(snapshot: Snapshot, notes: dict[str, Any]) -> dict[str, Any]:
    """Return what a snapshot holds, as JSON.

    Args:
        snapshot: As written.
        notes: How its files were split.
    """
    outcomes = snapshot.outcomes()
    index = snapshot.index()
    problems = failed_files(outcomes)[["uri", "status", "message"]].head(20).to_dict("records")
    return {
        "corpus": snapshot.corpus,
        "snapshot": snapshot.digest,
        "folder": str(snapshot.folder),
        "num_files": len(outcomes),
        "num_crops": len(index),
        "records": _RECORDS[snapshot.kind],
        "statuses": dict(Counter(outcomes["status"])),
        "labels": dict(Counter(outcomes["label"].fillna("unlabelled"))),
        "splits": dict(Counter(outcomes["split"].dropna())),
        "split_notes": notes,
        "problems": problems,
        "shortcuts": read_json(snapshot.folder / "shortcuts.json"),
    }


def media_used(snapshot: Snapshot | None) -> set[str]:
    """Return the media that faces, speech or mouths were looked for in; nothing for no snapshot."""
    if snapshot is None:
        return set()
    outcomes = snapshot.outcomes()
    return set(outcomes.loc[outcomes["status"].isin(_USED), "media_id"].dropna())


def newest_snapshot(root: DataRoot, corpus: str) -> Snapshot | None:
    """Return the newest snapshot of a corpus, None before there is one."""
    try:
        return open_snapshot(root, corpus)
    except DataError:
        return None
