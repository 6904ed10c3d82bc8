"""Finished batches of scores on disk: whole, or not there.

A part is one Parquet file for each table and a small JSON file that is written last. That names
the digest of each table, so a part that was cut short or damaged is told from a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from deepfake.config import digest_of
from deepfake.errors import DataError
from deepfake.scoring.scorer import ScoredMedium
from deepfake.scoring.tables import TABLES
from deepfake.storage import read_json, read_table, sha256_of, write_json, write_table

__all__ = [
    "Part",
    "find_parts",
    "part_path",
    "parts_holding",
    "read_made_with",
    "remove_part",
    "rewrite_part",
    "write_part",
]

_SCHEMA = "deepfake.scores.part 1"


@dataclass(frozen=True, slots=True)
class Part:
    """A finished batch.

    Attributes:
        key: Names its files, 16 hex digits.
        number: Of the run that wrote it; of two scores of one medium the later run's holds.
        media: Its media, each with the status that it ended in.
    """

    key: str
    number: int
    media: tuple[tuple[str, str], ...]


def part_path(folder: Path, key: str, table: str) -> Path:
    """Return where one table of a part lies."""
    return folder / f"{key}.{table}.parquet"


def write_part(
    folder: Path,
    *,
    key: str,
    number: int,
    media: Sequence[ScoredMedium],
    made_with: Mapping[str, Any] | None = None,
) -> Part:
    """Write the rows of a batch, the file that makes it whole last.

    Args:
        folder: Of all parts of one version.
        key: Names the part.
        number: Of the run.
        media: What scoring made of each medium.
        made_with: Versions and limits, in JSON types, for whoever does a score again.
    """
    rows = {
        "frames": [row for medium in media for row in medium.frames],
        "tracks": [row for medium in media for row in medium.tracks],
        "scores": [medium.score for medium in media],
    }
    tables = {n: pa.Table.from_pylist(records, schema=TABLES[n]) for n, records in rows.items()}
    part = Part(key, number, tuple((row["media_id"], row["status"]) for row in rows["scores"]))
    _write(folder, part, tables, dict(made_with or {}))
    return part


def _write(
    folder: Path, part: Part, tables: Mapping[str, pa.Table], made_with: dict[str, Any]
) -> None:
    digests = {}
    for name, table in tables.items():
        digests[name] = sha256_of(write_table(part_path(folder, part.key, name), table))
    write_json(_marker(folder, part.key), _signed(part, digests, made_with))


def read_made_with(folder: Path, key: str) -> dict[str, Any]:
    """Return what a part was made with; nothing where it does not say.

    Raises:
        DataError: The part is not there or damaged.
    """
    told = read_json(_marker(folder, key))
    if not isinstance(told, dict):
        raise DataError("not a part's list", path=_marker(folder, key))
    return dict(told.get("made_with") or {})


def rewrite_part(folder: Path, key: str, *, without: Set[str]) -> Part | None:
    """Write a part anew without some media, under a name of its own; the old one stays.

    Args:
        folder: Of all parts of one version.
        key: Of the part.
        without: The media.

    Returns:
        The new part; None where no medium is left.

    Raises:
        DataError: The part is damaged.
    """
    old = _read_part(folder, key)
    left = tuple(pair for pair in old.media if pair[0] not in without)
    if not left:
        return None
    gone = pa.array(sorted(without), pa.string())
    tables = {}
    for name, schema in TABLES.items():
        table = read_table(part_path(folder, key, name), schema=schema)
        tables[name] = table.filter(pc.invert(pc.is_in(table["media_id"], value_set=gone)))
    part = Part(digest_of(key, *(media_id for media_id, _ in left)), old.number, left)
    _write(folder, part, tables, read_made_with(folder, key))
    return part


def find_parts(folder: Path) -> Iterator[Part]:
    """Yield the parts that are there and whole; what is damaged is removed, to be made again."""
    for path in sorted(folder.glob("*.json")):
        key = path.name.removesuffix(".json")
        try:
            part = _read_part(folder, key)
        except (DataError, OSError, KeyError, TypeError, ValueError):
            remove_part(folder, key)
            continue
        yield part


def parts_holding(folder: Path, media_ids: Set[str]) -> list[str]:
    """Return the keys of the parts whose list names any of these media, damaged or not."""
    return [
        path.name.removesuffix(".json")
        for path in sorted(folder.glob("*.json"))
        if _names_any(path.read_bytes(), media_ids)
    ]


def _names_any(content: bytes, media_ids: Set[str]) -> bool:
    return any(media_id.encode() in content for media_id in media_ids)


def remove_part(folder: Path, key: str) -> None:
    """Remove a part, that which makes it whole first."""
    for path in (_marker(folder, key), *(part_path(folder, key, name) for name in TABLES)):
        path.unlink(missing_ok=True)


def _marker(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _signed(part: Part, digests: dict[str, str], made_with: dict[str, Any]) -> dict[str, object]:
    told = {
        "schema": _SCHEMA,
        "number": part.number,
        "media": [list(pair) for pair in part.media],
        "tables": digests,
        "made_with": made_with,
    }
    return {**told, "digest": _digest(told)}


def _digest(told: dict[str, object]) -> str:
    return digest_of(json.dumps(told, sort_keys=True))


def _read_part(folder: Path, key: str) -> Part:
    told = read_json(_marker(folder, key))
    digest = told.pop("digest")
    if told["schema"] != _SCHEMA or digest != _digest(told):
        raise DataError("not a part's list", path=_marker(folder, key))
    for name in TABLES:
        path = part_path(folder, key, name)
        if sha256_of(path) != told["tables"][name]:
            raise DataError("was changed since it was written", path=path)
    return Part(key, int(told["number"]), tuple((str(m), str(s)) for m, s in told["media"]))
