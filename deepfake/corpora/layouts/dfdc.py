"""Scan the training parts of the Deepfake Detection Challenge: a `metadata.json` per folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepfake.corpora.layouts.walk import (
    MEDIA_EXTENSIONS,
    is_hidden,
    is_plain_name,
    iter_files,
    layout_error,
    row_of_path,
)
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError, DataError
from deepfake.storage import read_json
from deepfake.types import Label

__all__ = ["scan_dfdc"]

_METADATA = "metadata.json"
_LABELS = {"REAL": Label.REAL, "FAKE": Label.FAKE}


def scan_dfdc(root: Path, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every file and every entry of the folders that hold a `metadata.json`.

    An entry without a file is a row with status `missing`; a file without an entry is
    unlabelled. A fake's `original` is its `target_id`, and a real is its own target, so that
    they are in one group. The `split` of the metadata is ignored: it is `train` for every video
    of these parts.

    Args:
        root: The folder of one part, or a folder that contains several.
        corpus: Name of the corpus.

    Raises:
        CorpusError: No `metadata.json`, one in another format, or no entry.
    """
    parts = [path for path in iter_files(root) if path.name == _METADATA] if root.is_dir() else []
    if not parts:
        raise layout_error(root, expected=f"folders with {_METADATA}")
    rows = [row for path in parts for row in _scan_part(path, corpus=corpus)]
    if not rows:
        raise CorpusError(f"no video and no entry beside any {_METADATA}", path=root)
    return rows


def _scan_part(metadata: Path, *, corpus: str) -> list[ManifestRow]:
    entries = _read_entries(metadata)
    present = {
        path.name
        for path in metadata.parent.iterdir()
        if not is_hidden(path.name) and path.name != _METADATA and _is_candidate(path)
    }
    return [
        _describe(row_of_path(metadata.parent / name, corpus=corpus), name=name, entries=entries)
        for name in sorted(present | set(entries))
    ]


def _is_candidate(path: Path) -> bool:
    return not path.is_dir() or path.suffix.lower() in MEDIA_EXTENSIONS


def _describe(
    row: ManifestRow, *, name: str, entries: Mapping[str, Mapping[str, Any]]
) -> ManifestRow:
    if name not in entries:
        return row
    label = _LABELS[entries[name]["label"]]
    target = name if label is Label.REAL else entries[name].get("original")
    return replace(row, label=label, target_id=target, original=target)


def _read_entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        entries = read_json(path)
    except DataError as error:
        raise CorpusError(error.message, path=path) from error
    if not isinstance(entries, dict):
        raise CorpusError("expected an object from file names to entries", path=path)
    for name, entry in entries.items():
        _check_entry(name, entry, path=path)
    return entries


def _check_entry(name: str, entry: object, *, path: Path) -> None:
    if not is_plain_name(name):
        raise CorpusError(f"expected a file name without folders, got {name!r}", path=path)
    label = entry.get("label") if isinstance(entry, dict) else entry
    if not isinstance(entry, dict) or not isinstance(label, str) or label not in _LABELS:
        raise CorpusError(f"{name}: expected the label REAL or FAKE, got {label!r}", path=path)
    original = entry.get("original")
    if original is not None and not isinstance(original, str):
        raise CorpusError(f"{name}: expected the name of an original, got {original!r}", path=path)
