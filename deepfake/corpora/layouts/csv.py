"""Scan a corpus listed in a CSV file of uris, labels and groups."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepfake.corpora.layouts.walk import SPLIT_NAMES, row_of_path
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.types import Label, Split

__all__ = ["scan_csv"]

_REQUIRED = ("uri", "label")
_TEXT = ("group", "method", "identity", "source_id", "target_id", "original", "compression")
_COLUMNS = (*_REQUIRED, "split", *_TEXT)


def scan_csv(path: Path, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every line of a CSV file with a header.

    Columns `uri` and `label` are required; `split`, `group`, `method`, `identity`, `source_id`,
    `target_id`, `original` and `compression` are optional. Empty cells are ignored. A relative
    uri is resolved from the folder of the CSV. A missing file is a row with status `missing`.

    Args:
        path: The CSV file: UTF-8, separated by commas.
        corpus: Name of the corpus.

    Raises:
        CorpusError: Not a CSV of these columns, a value that is not allowed, or a uri
            that occurs twice; the message names the line.
    """
    if not path.is_file():
        raise CorpusError("the layout `csv` expects a CSV file", path=path)
    rows: list[ManifestRow] = []
    lines: dict[str, int] = {}
    for line, cells in _iter_lines(path):
        row = _parse(cells, line=line, path=path, corpus=corpus)
        if lines.setdefault(row.uri, line) != line:
            raise _refusal(f"{cells['uri']} is already in line {lines[row.uri]}", line, path)
        rows.append(row)
    if not rows:
        raise CorpusError("the CSV file has a header but no rows", path=path)
    return rows


def _iter_lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_header(list(reader.fieldnames or ()), path=path)
            for cells in reader:
                if None in cells or None in cells.values():
                    width = len(reader.fieldnames or ())
                    raise _refusal(f"expected {width} cells", reader.line_num, path)
                yield reader.line_num, {name: cell.strip() for name, cell in cells.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"not a CSV file in UTF-8 ({error})", path=path) from error


def _check_header(names: list[str], *, path: Path) -> None:
    # An unknown column is often a misspelt `group`, which would lead to a leak.
    is_known = set(_REQUIRED) <= set(names) <= set(_COLUMNS)
    if not is_known or len(set(names)) < len(names):
        raise CorpusError(
            f"expected the columns {', '.join(_REQUIRED)} and optionally "
            f"{', '.join(_COLUMNS[2:])}; found {', '.join(names) or 'none'}",
            path=path,
        )


def _parse(cells: dict[str, str], *, line: int, path: Path, corpus: str) -> ManifestRow:
    uri, label, split = cells["uri"], cells["label"].lower(), cells.get("split", "").lower()
    if not uri or "\0" in uri or "://" in uri:
        raise _refusal(f"expected the path of a file, got {uri!r}", line, path)
    if label not in {*Label, ""}:
        allowed = "real, fake or nothing"
        raise _refusal(f"expected the label {allowed}, got {cells['label']!r}", line, path)
    if split not in {*SPLIT_NAMES, ""}:
        allowed = f"{', '.join(SPLIT_NAMES)} or nothing"
        raise _refusal(f"expected the split {allowed}, got {cells['split']!r}", line, path)
    text: dict[str, Any] = {name: cells.get(name) or None for name in _TEXT}
    return replace(
        row_of_path(path.parent / uri, corpus=corpus),
        label=Label(label) if label else None,
        split=_split_of(split),
        **text,
    )


def _split_of(name: str) -> Split | None:
    return SPLIT_NAMES[name] if name else None


def _refusal(message: str, line: int, path: Path) -> CorpusError:
    return CorpusError(f"line {line}: {message}", path=path)
