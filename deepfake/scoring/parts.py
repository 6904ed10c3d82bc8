"""Finished batches of scores on disk: whole, or not there.

A part is one Parquet file for each table and a small JSON file that is written last. That names
the digest of each table, so a part that was cut short or damaged is told from a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, Field

from deepfake.config import digest_of
from deepfake.errors import DataError
from deepfake.scoring.scorer import ScoredMedium
from deepfake.scoring.tables import TABLES
from deepfake.storage import read_json, sha256_of, write_json, write_table
from deepfake.types import Status

__all__ = ["Part", "find_parts", "part_path", "remove_part", "write_part"]

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


def write_part(folder: Path, *, key: str, number: int, media: Sequence[ScoredMedium]) -> Part:
    """Write the rows of a batch, the file that makes it whole last.

    Args:
        folder: Of all parts of one version.
        key: Names the part.
        number: Of the run.
        media: What scoring made of each medium.
    """
    rows = {
        "frames": [row for medium in media for row in medium.frames],
        "tracks": [row for medium in media for row in medium.tracks],
        "scores": [medium.score for medium in media],
    }
    digests = {}
    for name, records in rows.items():
        table = pa.Table.from_pylist(records, schema=TABLES[name])
        digests[name] = sha256_of(write_table(part_path(folder, key, name), table))
    part = Part(key, number, tuple((row["media_id"], row["status"]) for row in rows["scores"]))
    write_json(_marker(folder, key), _signed(part, digests))
    return part


def find_parts(folder: Path) -> Iterator[Part]:
    """Yield the parts that are there and whole; what is damaged is removed, to be made again."""
    for path in sorted(folder.glob("*.json")):
        key = path.name.removesuffix(".json")
        try:
            part = _read_part(folder, key)
        except (DataError, OSError, LookupError, ValueError):
            remove_part(folder, key)
            continue
        yield part


def remove_part(folder: Path, key: str) -> None:
    """Remove a part, that which makes it whole first."""
    for path in (_marker(folder, key), *(part_path(folder, key, name) for name in TABLES)):
        path.unlink(missing_ok=True)


def _marker(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _signed(part: Part, digests: dict[str, str]) -> dict[str, object]:
    told = {
        "schema": _SCHEMA,
        "number": part.number,
        "media": [list(pair) for pair in part.media],
        "tables": digests,
    }
    return {**told, "digest": _digest(told)}


def _digest(told: dict[str, object]) -> str:
    return digest_of(json.dumps(told, sort_keys=True))


def _read_part(folder: Path, key: str) -> Part:
    told = read_json(_marker(folder, key))
    digest = told.pop("digest", None) if isinstance(told, dict) else None
    if digest is None or told.get("schema") != _SCHEMA or digest != _digest(told):
        raise DataError("not a part's list", path=_marker(folder, key))
    listed = _List.model_validate(told)
    for name in TABLES:
        path = part_path(folder, key, name)
        if sha256_of(path) != listed.tables[name]:
            raise DataError("was changed since it was written", path=path)
    return Part(key, listed.number, tuple((m, str(status)) for m, status in listed.media))


class _List(BaseModel):
    """What the JSON file of a part says."""

    number: int = Field(strict=True, ge=0, lt=2**63)
    media: list[tuple[str, Status]]
    tables: dict[str, str]
