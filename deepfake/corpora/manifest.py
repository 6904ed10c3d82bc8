"""The manifest of a corpus: one row a file, in a Parquet table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import pyarrow as pa

from deepfake.corpora.manifest_row import (
    LATER_COLUMNS,
    Intervals,
    ManifestRow,
    interval_records,
)
from deepfake.corpora.shards.schemas import FAKE_INTERVALS
from deepfake.errors import DataError, ManifestError
from deepfake.storage import Location, read_table, write_table
from deepfake.types import Kind, Label, Split, Status

__all__ = [
    "MANIFEST_SCHEMA",
    "read_manifest",
    "record_of_row",
    "row_of_record",
    "write_manifest",
]


Place = TypeVar("Place", bound=Location)


_TYPES = {
    "size_bytes": pa.int64(),
    "mtime_ns": pa.int64(),
    "width": pa.int32(),
    "height": pa.int32(),
    "rotation": pa.int32(),
    "fps": pa.float64(),
    "num_frames": pa.int64(),
    "duration_seconds": pa.float64(),
    "has_audio": pa.bool_(),
    "fake_intervals": FAKE_INTERVALS.type,
}

MANIFEST_SCHEMA = pa.schema(
    [pa.field(f.name, _TYPES.get(f.name, pa.string())) for f in fields(ManifestRow)],
    metadata={"schema": "deepfake.manifest", "schema_version": "2"},
)

_ENUMS = {"kind": Kind, "label": Label, "split": Split, "status": Status}


def write_manifest(path: Place, rows: Iterable[ManifestRow]) -> Place:
    """Write a manifest, sorted by uri.

    Raises:
        ManifestError: Two rows have the same uri.
    """
    ordered = sorted(rows, key=lambda row: row.uri)
    for before, after in itertools.pairwise(ordered):
        if before.uri == after.uri:
            raise ManifestError("the uri is in the manifest twice", path=after.uri)
    columns = {
        f.name: [_plain(getattr(row, f.name)) for row in ordered] for f in fields(ManifestRow)
    }
    columns["fake_intervals"] = [interval_records(row.fake_intervals) for row in ordered]
    return write_table(path, pa.table(columns, schema=MANIFEST_SCHEMA))


def read_manifest(path: Location) -> list[ManifestRow]:
    """Read a manifest, sorted by uri.

    Raises:
        ManifestError: The file is missing, damaged, or of another schema version.
    """
    try:
        records = read_table(path, schema=MANIFEST_SCHEMA, may_lack=LATER_COLUMNS).to_pylist()
    except DataError as error:
        raise ManifestError(error.message, path=error.path, hint=error.hint) from error
    try:
        return [_checked(row_of_record(record)) for record in records]
    except ValueError as error:
        raise ManifestError(f"invalid row ({error})", path=path) from error


def _checked(row: ManifestRow) -> ManifestRow:
    if row.uri is None or row.corpus is None or row.status is None:
        raise ValueError("it has no uri, no corpus or no status")
    return row


def _plain(value: object) -> object:
    return str(value) if isinstance(value, (Kind, Label, Split, Status)) else value


_NAMES = tuple(f.name for f in fields(ManifestRow))


def record_of_row(row: ManifestRow) -> dict[str, Any]:
    """Return a row as a plain record."""
    return {name: getattr(row, name) for name in _NAMES}


def row_of_record(record: Mapping[str, Any]) -> ManifestRow:
    """Return the row of a plain record; unknown columns raise a TypeError."""
    return ManifestRow(**{name: _typed(name, value) for name, value in record.items()})


def _typed(name: str, value: Any) -> Any:
    if value is not None and name == "fake_intervals":
        return _intervals_of(value)
    return value if value is None or name not in _ENUMS else _ENUMS[name](str(value))


def _intervals_of(value: Iterable[Any]) -> Intervals:
    """Return intervals out of a table's structs, or out of pairs as in JSON."""
    pairs = (tuple(one.values()) if isinstance(one, Mapping) else tuple(one) for one in value)
    return tuple((float(begin), float(end)) for begin, end in pairs)
