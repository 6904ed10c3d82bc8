"""The listing: what is known of the files of an output in a store, for the machine that runs next.

The state is a file of one machine. At the end of a run what it says of files is put beside the
scores, so that another machine need not read every medium again to learn what it holds.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.errors import DataError, StoreError
from deepfake.scoring.state.state import ScoringState
from deepfake.storage import (
    Location,
    StorePath,
    atomic_path,
    read_json,
    read_locally,
    sha256_of,
    translate_parquet_errors,
    write_json,
)

__all__ = [
    "ROWS_A_BATCH",
    "listed_file",
    "named_listing",
    "put_listing",
    "read_listing",
    "write_listing",
]

ROWS_A_BATCH = 10_000
_SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("media_id", pa.string()),
        ("kind", pa.string()),
        ("status", pa.string()),
        ("error_type", pa.string()),
        ("message", pa.string()),
        ("is_racy", pa.bool_()),
    ],
    metadata={"schema": "deepfake.listing", "schema_version": "1"},
)


def read_listing(folder: Location, state: ScoringState) -> None:
    """Take over what the last run found out, if that was not this machine's.

    Args:
        folder: The output; of one that is here nothing is taken, since its state lies in it.
        state: Of this run, which has observed nothing yet.

    Raises:
        StoreError: The store did not answer.
    """
    if not isinstance(folder, StorePath):
        return
    name, digest = named_listing(folder)
    if name is None or name == state.listing:
        return
    try:
        # While it is read it must not be removed: what is open stays.
        rows = read_locally(folder / name, pq.ParquetFile, sha256=digest)
    except StoreError:
        raise
    except (DataError, OSError, pa.ArrowException, ValueError):
        return  # what it says can be found out again
    with rows:
        state.take_files(_rows_of(rows), listing=name)


def _rows_of(file: pq.ParquetFile) -> Iterator[tuple[Any, ...]]:
    for batch in file.iter_batches(ROWS_A_BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def write_listing(folder: Location, state: ScoringState) -> None:
    """Put what is known of files beside the scores; the object that names it comes last.

    Args:
        folder: The output; beside one that is here nothing is written.
        state: Of the run that ends.

    Raises:
        StoreError: The store refused or did not answer.
    """
    if not isinstance(folder, StorePath) or state.is_listed:
        return
    name = put_listing(folder, _chunked(state.all_files()))
    old = state.listing
    state.mark_listed(name)
    if old is not None and "/" not in old:
        (folder / old).unlink(missing_ok=True)


def put_listing(folder: StorePath, batches: Iterable[pa.RecordBatch]) -> str:
    name = f".listing-{uuid.uuid4().hex[:16]}.parquet"
    with atomic_path(folder / name) as local:
        with pq.ParquetWriter(local, _SCHEMA, compression="zstd") as writer:
            for rows in batches:
                writer.write_batch(rows)
        digest = sha256_of(local)
    write_json(_index(folder), {"file": name, "sha256": digest})
    return name


def listed_file(folder: StorePath, uri: str) -> tuple[int, int] | None:
    """Return size and time of a file as they were when it was scored; None where that is unknown.

    Args:
        folder: The output.
        uri: The file.

    Raises:
        StoreError: The store did not answer.
    """
    name, digest = named_listing(folder)
    if name is None:
        return None
    with translate_parquet_errors(folder / name):
        table = read_locally(folder / name, pq.read_table, sha256=digest)
    for row in table.filter(pc.equal(table["uri"], uri)).to_pylist():
        if not row["is_racy"]:
            return row["size_bytes"], row["mtime_ns"]
    return None


def named_listing(folder: StorePath) -> tuple[str | None, str | None]:
    """Return the name and the SHA-256 of the listing that the index names; None twice for none.

    Raises:
        StoreError: The store refused or did not answer.
    """
    try:
        record = read_json(_index(folder))
        name, digest = str(record["file"]), str(record["sha256"])
    except StoreError:
        raise
    except (DataError, KeyError, TypeError):
        return None, None
    return (None, None) if "/" in name else (name, digest)


def _chunked(files: Iterator[tuple[Any, ...]]) -> Iterator[pa.RecordBatch]:
    while chunk := list(itertools.islice(files, ROWS_A_BATCH)):
        columns = [pa.array(column) for column in zip(*chunk, strict=True)]
        arrays = [c.cast(f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _index(folder: StorePath) -> StorePath:
    return folder / ".listing.json"
