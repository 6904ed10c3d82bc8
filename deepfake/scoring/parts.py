"""Write, find, merge and remove parts: finished batches of scores, whole or not there.

A part is one Parquet file for each table and a small JSON file that is written last. That names
the digest of each table, so that a part that was cut short or damaged is found out. In a
store, where looking at every byte at each start would cost, it also names the tags that the store
gave the tables: another put would have given another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from deepfake.config import digest_of
from deepfake.errors import DataError
from deepfake.scoring.schemas import ALL_TABLES, LATER_COLUMNS, TABLES, is_head_column
from deepfake.scoring.scorer_settings import ScoredMedium
from deepfake.storage import (
    Location,
    StorePath,
    atomic_path,
    local_copy,
    map_threaded,
    read_json,
    read_table,
    sha256_of,
    table_of,
    write_json,
)
from deepfake.types import Status

__all__ = [
    "Part",
    "find_parts",
    "merge_parts",
    "part_path",
    "parts_holding",
    "read_made_with",
    "read_part_tables",
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
        run_number: Of the run that wrote it; of two scores of one medium the later run's holds.
        media: Its media, each with the status that it ended in.
    """

    key: str
    run_number: int
    media: tuple[tuple[str, str], ...]


def part_path(folder: Location, key: str, table: str) -> Location:
    """Return where one table of a part lies."""
    return folder / _table_name(key, table)


def _table_name(key: str, table: str) -> str:
    return f"{key}.{table}.parquet"


def write_part(
    folder: Location,
    *,
    key: str,
    run_number: int,
    media: Sequence[ScoredMedium],
    made_with: Mapping[str, Any] | None = None,
    schemas: Mapping[str, pa.Schema] = TABLES,
) -> Part:
    """Write the tables of a batch, and last the file that makes it a part.

    Args:
        folder: Of all parts of one version.
        key: Names the part.
        run_number: Of the run.
        media: What scoring made of each medium.
        made_with: Versions and limits, in JSON types, for whoever does a score again.
        schemas: Of the tables, as the detector has them; see `table_schemas`.

    Raises:
        DataError: A row has a column that its table does not know.
    """
    rows = {
        "frames": [row for medium in media for row in medium.frames],
        "tracks": [row for medium in media for row in medium.tracks],
        "scores": [medium.score.as_row() for medium in media],
        "windows": [row for medium in media for row in medium.windows],
        "blocks": [row for medium in media for row in medium.blocks],
    }
    tables = {name: table_of(rows[name], schema=schema) for name, schema in schemas.items()}
    part = Part(key, run_number, tuple((str(m.score.media_id), str(m.score.status)) for m in media))
    _write_whole(folder, part, tables, dict(made_with or {}))
    return part


def _write_whole(
    folder: Location, part: Part, tables: Mapping[str, pa.Table], made_with: dict[str, Any]
) -> None:
    digests, tags = {}, {}
    for name, table in tables.items():
        path = part_path(folder, part.key, name)
        digests[name] = _write(path, table)
        if isinstance(path, StorePath):
            tags[name] = path.stat().tag
    write_json(_marker(folder, part.key), _signed(part, digests, tags, made_with))


def read_made_with(folder: Location, key: str) -> dict[str, Any]:
    """Return what a part was made with; an empty dictionary where it does not say.

    Raises:
        DataError: The part is not there or damaged.
    """
    record = read_json(_marker(folder, key))
    if not isinstance(record, dict):
        raise DataError("not a part's list", path=_marker(folder, key))
    return dict(record.get("made_with") or {})


def rewrite_part(folder: Location, key: str, *, without: Set[str]) -> Part | None:
    """Write a copy of a part without some media, under a new name; the old one stays.

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
    for name in _table_names(_read_marker(folder, key)):
        table = _read(part_path(folder, key, name), name)
        tables[name] = table.filter(pc.invert(pc.is_in(table["media_id"], value_set=gone)))
    part = Part(digest_of(key, *(media_id for media_id, _ in left)), old.run_number, left)
    _write_whole(folder, part, tables, read_made_with(folder, key))
    return part


def merge_parts(folder: Location, parts: Sequence[Part], *, made_with: Mapping[str, Any]) -> Part:
    """Write one part with the scores of several; these stay.

    Args:
        folder: Of all parts of one version.
        parts: Each with the media whose scores are taken from it; no medium twice.
        made_with: What all of them were made with.

    Raises:
        DataError: One of them is missing or damaged.
    """
    keys = [part.key for part in parts]
    wanted = {part.key: pa.array([m for m, _ in part.media], pa.string()) for part in parts}
    tables = {}
    for name in _table_names(_read_marker(folder, keys[0])):
        pieces = [
            table.filter(pc.is_in(table["media_id"], value_set=wanted[key]))
            for key, table in read_part_tables(folder, keys, name)
        ]
        tables[name] = pa.concat_tables(pieces)
    merged = Part(
        digest_of(*keys),
        max(part.run_number for part in parts),
        tuple(pair for part in parts for pair in part.media),
    )
    _write_whole(folder, merged, tables, dict(made_with))
    return merged


def _read(path: Location, name: str, *, sha256: str | None = None) -> pa.Table:
    # Which heads the detector has, only the table itself knows here.
    lacking = LATER_COLUMNS[name]
    if name != "frames":
        return read_table(path, schema=ALL_TABLES[name], sha256=sha256, may_lack=lacking)
    return read_table(
        path, schema=ALL_TABLES[name], sha256=sha256, may_follow=is_head_column, may_lack=lacking
    )


def _write(path: Location, table: pa.Table) -> str:
    with atomic_path(path) as local:
        pq.write_table(table, local, compression="zstd")
        return sha256_of(local)


def find_parts(folder: Location) -> Iterator[Part]:
    """Yield the parts that are there and whole; what is damaged is removed, to be made again."""
    if isinstance(folder, StorePath):
        yield from _find_in_store(folder)
        return
    for path in sorted(folder.glob("*.json")):
        key = path.name.removesuffix(".json")
        try:
            part = _read_part(folder, key)
        except (DataError, OSError, LookupError, ValueError):
            remove_part(folder, key)
            continue
        yield part


def parts_holding(folder: Location, media_ids: Set[str]) -> list[str]:
    """Return the keys of the parts whose list names any of these media, damaged or not."""
    paths: list[Location] = sorted(folder.glob("*.json"), key=str)
    named = map_threaded(lambda path: _names_any(path.read_bytes(), media_ids), paths)
    return [
        path.name.removesuffix(".json")
        for path, is_named in zip(paths, named, strict=True)
        if is_named
    ]


def _names_any(content: bytes, media_ids: Set[str]) -> bool:
    return any(media_id.encode() in content for media_id in media_ids)


def _find_in_store(folder: StorePath) -> Iterator[Part]:
    tags = {path.name: found.tag for path, found in folder.iter_objects()}
    # Also of those that a killed run left without their list.
    keys = sorted({name.partition(".")[0] for name in tags})

    def read(key: str) -> Part | None:
        try:
            record = _read_marker(folder, key)
            names = _table_names(record)
            named = {_table_name(key, name): record["tags"][name] for name in names}
            return _part_of(key, record) if named.items() <= tags.items() else None
        except (DataError, KeyError, TypeError, ValueError):
            return None

    for key, part in zip(keys, map_threaded(read, keys), strict=True):
        if part is None:
            remove_part(folder, key)
        else:
            yield part


def read_part_tables(
    folder: Location, keys: Iterable[str], table: str
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the key and one table of each part.

    Raises:
        DataError: One is missing or damaged. A part of a store is removed then, to be made again.
    """
    if not isinstance(folder, StorePath):
        for key in keys:
            yield key, _read(part_path(folder, key, table), table)
        return

    def fetch(key: str) -> tuple[str, pa.Table]:
        path = part_path(folder, key, table)
        try:
            digest = str(_read_marker(folder, key)["tables"][table])
            return key, _read(path, table, sha256=digest)
        except (DataError, KeyError, TypeError) as error:
            remove_part(folder, key)
            raise DataError(
                "was damaged after the run began, and is removed", path=path, hint="Run again."
            ) from error

    yield from map_threaded(fetch, keys)


def remove_part(folder: Location, key: str) -> None:
    """Remove a part, first the file that makes it one."""
    for path in (_marker(folder, key), *(part_path(folder, key, name) for name in ALL_TABLES)):
        path.unlink(missing_ok=True)


def _marker(folder: Location, key: str) -> Location:
    return folder / f"{key}.json"


def _signed(
    part: Part,
    digests: Mapping[str, str],
    tags: Mapping[str, str],
    made_with: Mapping[str, Any],
) -> dict[str, object]:
    record: dict[str, object] = {
        "schema": _SCHEMA,
        "number": part.run_number,
        "media": [list(pair) for pair in part.media],
        "tables": dict(digests),
        "made_with": dict(made_with),
    }
    if tags:
        record["tags"] = dict(tags)
    return {**record, "digest": _digest(record)}


def _digest(record: Mapping[str, object]) -> str:
    return digest_of(json.dumps(record, sort_keys=True))


def _read_marker(folder: Location, key: str) -> dict[str, Any]:
    record = read_json(_marker(folder, key))
    digest = record.pop("digest", None) if isinstance(record, dict) else None
    if digest is None or record.get("schema") != _SCHEMA or digest != _digest(record):
        raise DataError("not a part's list", path=_marker(folder, key))
    return dict(record)


def _table_names(record: Mapping[str, Any]) -> list[str]:
    """Return the tables of a part: those that every part has, and the others that it has."""
    names = list(record["tables"])
    if not set(TABLES).issubset(names) or not set(ALL_TABLES).issuperset(names):
        raise DataError(f"a part has the tables {', '.join(TABLES)}, not {', '.join(names)}")
    return names


def _part_of(key: str, record: Mapping[str, Any]) -> Part:
    listed = _List.model_validate(dict(record))
    return Part(key, listed.number, tuple((m, str(status)) for m, status in listed.media))


def _read_part(folder: Location, key: str) -> Part:
    record = _read_marker(folder, key)
    part = _part_of(key, record)
    for name in _table_names(record):
        path = folder / _table_name(key, name)
        with local_copy(path) as local:
            if sha256_of(local) != record["tables"][name]:
                raise DataError("was changed since it was written", path=path)
    return part


class _List(BaseModel):
    """What the JSON file of a part says."""

    number: int = Field(strict=True, ge=0, lt=2**63)
    media: list[tuple[str, Status]]
    tables: dict[str, str]
