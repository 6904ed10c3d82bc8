"""Scan Celeb-DF (versions 1 and 2): three folders and a test list, in which 1 means real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepfake.corpora.layouts.walk import (
    is_plain_name,
    iter_files,
    layout_error,
    mark_misnamed,
    row_of_path,
)
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.types import Label, Split, Status

__all__ = ["scan_celebdf"]

_FOLDERS = {"Celeb-real": Label.REAL, "YouTube-real": Label.REAL, "Celeb-synthesis": Label.FAKE}
_NAMES = {
    "Celeb-real": (re.compile(r"(?P<identity>id\d+)_(?P<clip>\d+)"), "id<person>_<clip>.mp4"),
    "YouTube-real": (re.compile(r".+"), "<clip>.mp4"),  # the person is not known
    "Celeb-synthesis": (
        re.compile(r"(?P<target_id>id\d+)_(?P<source_id>id\d+)_(?P<clip>\d+)"),
        "id<target>_id<source>_<clip>.mp4",
    ),
}
_LIST = "List_of_testing_videos.txt"
_LIST_LABELS = {"1": Label.REAL, "0": Label.FAKE}  # not the other way round


def scan_celebdf(root: Path, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every video of the three folders and every entry of the list.

    Listed videos are the corpus's own test part; the rest has no split yet. A listed video that
    does not exist is a row with status `missing`.

    Args:
        root: The folder with `Celeb-real`, `YouTube-real` and `Celeb-synthesis`, or some of them.
        corpus: Name of the corpus.

    Raises:
        CorpusError: Another layout, no video, or a list that contradicts the folders.
    """
    if not any((root / folder).is_dir() for folder in _FOLDERS):
        expected = f"the folders {', '.join(_FOLDERS)} and {_LIST}"
        raise layout_error(root, expected=expected)
    listed = set(_iter_listed(root / _LIST))
    present = {
        (folder, path)
        for folder in _FOLDERS
        if (root / folder).is_dir()
        for path in iter_files(root / folder)
    }
    rows = [
        _describe(row_of_path(path, corpus=corpus), folder=folder, path=path, listed=listed)
        for folder, path in sorted(present | listed)
    ]
    if not any(row.status is not Status.MISSING for row in rows):
        raise CorpusError(f"no video in {', '.join(_FOLDERS)}", path=root)
    return rows


def _describe(
    row: ManifestRow, *, folder: str, path: Path, listed: set[tuple[str, Path]]
) -> ManifestRow:
    split = Split.TEST if (folder, path) in listed else None
    row = replace(row, label=_FOLDERS[folder], split=split)
    pattern, expected = _NAMES[folder]
    match = pattern.fullmatch(path.stem)
    if match is None:
        return mark_misnamed(row, expected=expected)
    ids: dict[str, Any] = match.groupdict()
    clip = ids.pop("clip", None)
    if clip is not None:
        # `id0_id1_0002` is `id0_0002` with another face.
        ids["original"] = f"{ids.get('target_id') or ids['identity']}_{clip}"
    return replace(row, **ids)


def _iter_listed(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"the list cannot be read ({error})", path=path) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _parse_line(line, number=number, path=path)


def _parse_line(line: str, *, number: int, path: Path) -> tuple[str, Path]:
    digit, _, entry = line.strip().partition(" ")
    folder, _, name = entry.strip().partition("/")
    if digit not in _LIST_LABELS or folder not in _FOLDERS or not is_plain_name(name):
        raise CorpusError(
            f"line {number}: expected `1 Celeb-real/id0_0000.mp4`, got {line!r}", path=path
        )
    if _LIST_LABELS[digit] is not _FOLDERS[folder]:
        raise CorpusError(
            f"line {number}: {digit} means {_LIST_LABELS[digit]}, but {folder} holds "
            f"{_FOLDERS[folder]} videos",
            path=path,
            hint="In the official list 1 is real and 0 is fake.",
        )
    return folder, path.parent / folder / name
