"""A data set as `--dataset` names it: an ingested corpus, or a folder that is ingested first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deepfake.config import digest_of
from deepfake.corpora.dataset_names import reject_unknown_dataset
from deepfake.corpora.ingest import read_previous_rows
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot, location_of, to_uri

__all__ = ["resolve_dataset"]


def resolve_dataset(
    dataset: str,
    *,
    data_root: str,
    ingest: Callable[[Path, str], Mapping[str, Any]],
) -> tuple[Snapshot, list[str]]:
    """Return the snapshot that a name or a folder stands for, and notes for the user.

    A name wins over a folder of the same name. A folder is ingested, or brought up to date.

    Args:
        dataset: Name of a corpus, or a folder `{train,val,test}/{real,fake}` or `{real,fake}`.
        data_root: The data root.
        ingest: Ingests a folder as the corpus of a name, and returns its summary.

    Raises:
        ConfigError: Neither a corpus nor a folder, or a folder without labels.
    """
    root = DataRoot(location_of(data_root))
    reject_unknown_dataset(dataset, root=root)
    folder = Path(dataset)
    if root.has_corpus(dataset):
        notes = [f"{dataset!r} is the ingested corpus of that name"]
        if folder.is_dir():
            notes.append(f"a folder {dataset!r} is here too; write ./{dataset} to mean it")
        return open_snapshot(root, dataset), notes
    corpus = _corpus_of(folder, root=root)
    summary = ingest(folder, corpus)
    statuses = ", ".join(f"{count} {status}" for status, count in summary["statuses"].items())
    note = (
        f"the folder {dataset} is the corpus {corpus!r} now "
        f"(files: {statuses}; {summary['num_crops']} {summary['records']})"
    )
    return open_snapshot(root, corpus), [note]


def _corpus_of(folder: Path, *, root: DataRoot) -> str:
    """Return the name under which a folder is ingested; never that of another corpus."""
    corpus = re.sub(r"[^A-Za-z0-9._+-]", "-", folder.resolve().name)
    corpus = corpus.strip("-.").lstrip("+_")[:90] or "dataset"
    rows = scan_corpus(folder, corpus=corpus, layout="folder")
    if all(row.label is None for row in rows):
        raise ConfigError(
            f"no folder named real or fake in {folder}",
            hint="Name them so, or list files and labels for `deepfake ingest --layout csv`.",
        )
    here = {row.uri: _labels_of(row) for row in rows}
    before = {row.uri: _labels_of(row) for row in read_previous_rows(root, corpus)}
    shared = before.keys() & here.keys()
    if not before or (shared and all(before[uri] == here[uri] for uri in shared)):
        return corpus
    return f"{corpus}-{digest_of(to_uri(folder.resolve()))[:8]}"


def _labels_of(row: ManifestRow) -> tuple[str | None, ...]:
    return row.label, row.method, row.identity, row.source_id, row.target_id
