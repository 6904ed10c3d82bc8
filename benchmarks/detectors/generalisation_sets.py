"""The sets of media that a detector is measured and chosen on, and never trained on."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from deepfake.corpora.layouts import scan_corpus, scan_media
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits.groups import connect_rows
from deepfake.types import Label, Status

__all__ = ["SETS", "MediaSet", "limit_rows", "list_set"]

_NUMBER = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class MediaSet:
    """A set of labelled media.

    Attributes:
        name: Short, for metrics and folders.
        title: For the table.
        folder: Below the data.
        list_rows: Returns its files with label, group, and method and original where known.
        has_sources: Whether its reals come from several sources, named by their `method`.
        is_equalised: Whether it is measured again with all faces of one size and compression.
    """

    name: str
    title: str
    folder: str
    list_rows: Callable[[Path, str], list[ManifestRow]]
    has_sources: bool = False
    is_equalised: bool = False


def list_set(media_set: MediaSet, data: Path, *, limit: int | None) -> list[ManifestRow]:
    """Return the files of a set, sorted by uri; none where its folder is not there.

    Args:
        media_set: The set.
        data: The folder of all data.
        limit: As for `limit_rows`; None for all files.
    """
    folder = data / media_set.folder
    if not folder.is_dir():
        return []
    rows = media_set.list_rows(folder, media_set.name)
    there = [row for row in rows if row.label is not None and row.status is not Status.MISSING]
    return there if limit is None else limit_rows(there, limit=limit)


def limit_rows(rows: Sequence[ManifestRow], *, limit: int) -> list[ManifestRow]:
    """Return whole groups in an order drawn from their names, until there are enough files.

    A fake stays beside the real that it was made of, and what a smaller limit returns is part of
    what a larger one does.

    Args:
        rows: Each with a group.
        limit: The group in which this number of files is reached is the last one.
    """
    drawn = sorted(rows, key=lambda row: (_drawn(str(row.group)), str(row.group)))
    kept: list[ManifestRow] = []
    for _, group in groupby(drawn, key=lambda row: row.group):
        if len(kept) >= limit:
            break
        kept += group
    return sorted(kept, key=lambda row: row.uri)


def _drawn(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _list_crops(folder: Path, name: str) -> list[ManifestRow]:
    """List single pictures; `pairs.csv`, if it is there, names the original of each fake."""
    originals: dict[str, str] = {}
    table = folder / "pairs.csv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as file:
            originals = {row["fake"]: row["original"] for row in csv.DictReader(file)}
    rows = scan_corpus(folder, corpus=name, layout="folder")
    listed = []
    for row in rows:
        file_name = Path(row.uri).name
        original = file_name if row.label is Label.REAL else originals.get(file_name)
        group = original if originals and original else row.uri
        listed.append(replace(row, original=original if originals else None, group=group))
    return listed


def _list_generated(folder: Path, name: str) -> list[ManifestRow]:
    """List clips named `<generator or source>-<number>`; who is shown is not known."""
    rows = scan_corpus(folder, corpus=name, layout="folder")
    return [replace(row, method=_NUMBER.sub("", Path(row.uri).stem), group=row.uri) for row in rows]


def _list_reals(folder: Path, name: str) -> list[ManifestRow]:
    return [
        replace(row, label=Label.REAL, group=row.uri) for row in scan_media(folder, corpus=name)
    ]


def _list_corpus(layout: str) -> Callable[[Path, str], list[ManifestRow]]:
    def list_rows(folder: Path, name: str) -> list[ManifestRow]:
        return _grouped(scan_corpus(folder, corpus=name, layout=layout))

    return list_rows


def _grouped(rows: Iterable[ManifestRow]) -> list[ManifestRow]:
    """Name the group of each file as the splits would: people and recordings stay together."""
    groups, _ = connect_rows(list(rows), known={}, splits={})
    named = [replace(row, group=min(group.keys)) for group in groups for row in group.rows]
    return sorted(named, key=lambda row: row.uri)


SETS = (
    MediaSet("dfdc-crops", "DFDC face crops", "dfdc-crops", _list_crops),
    MediaSet("celebdf", "Celeb-DF-v2", "videos/Celeb-DF-v2", _list_corpus("celebdf")),
    MediaSet("ff", "FaceForensics++", "videos/FaceForensics++", _list_corpus("faceforensics")),
    MediaSet("dfdc", "DFDC clips", "videos/DFDC", _list_corpus("dfdc")),
    MediaSet(
        "generated",
        "generated talking heads",
        "videos/generated",
        _list_generated,
        has_sources=True,
        is_equalised=True,
    ),
    MediaSet("talking-heads", "talking heads, presumed real", "videos/talking-heads", _list_reals),
    MediaSet(
        "openforensics", "OpenForensics `test`, learnt kind", "openforensics/test", _list_crops
    ),
)
"""Those that decide between detectors; the last one holds the kind that the packaged one learnt."""
