"""Read and write Parquet tables of our schemas, local or in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.errors import DataError, DeepfakeError
from deepfake.storage.copies import read_locally
from deepfake.storage.files import atomic_path
from deepfake.storage.locations import Location

__all__ = [
    "check_schema",
    "fill_columns",
    "read_table",
    "table_of",
    "translate_parquet_errors",
    "write_table",
]

Place = TypeVar("Place", bound=Location)


@contextmanager
def translate_parquet_errors(path: Location, *, hint: str | None = None) -> Iterator[None]:
    """Translate errors of reading a Parquet file inside the block into this project's errors.

    Args:
        path: The file concerned.
        hint: What a person can do about it.

    Raises:
        DataError: The file is missing or damaged.
    """
    try:
        yield
    except DeepfakeError:
        raise
    # Damaged names of columns are a UnicodeDecodeError, which is a ValueError.
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"not a readable Parquet file ({error})", path=path, hint=hint) from error


def write_table(path: Place, table: pa.Table) -> Place:
    """Write a Parquet file atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return path


def table_of(rows: Sequence[Mapping[str, Any]], *, schema: pa.Schema) -> pa.Table:
    """Return rows as a table of one of our schemas; a column that a row lacks is null.

    Raises:
        DataError: A row has a column that the schema does not know.
    """
    unknown = {name for row in rows for name in row}.difference(schema.names)
    if unknown:
        table = schema.metadata[b"schema"].decode()
        raise DataError(f"{table} has no column for {', '.join(sorted(unknown))}")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def read_table(
    path: Location,
    *,
    schema: pa.Schema,
    sha256: str | None = None,
    may_follow: Callable[[pa.Field], bool] = lambda _: False,
    may_lack: Set[str] = frozenset(),
) -> pa.Table:
    """Read a Parquet file of one of our schemas.

    Args:
        path: The file.
        schema: Expected columns, types, and name and version in the metadata.
        sha256: Expected SHA-256 of the content, for a file in a store.
        may_follow: Whether a column may stand behind those of the schema.
        may_lack: Columns that the file may lack; they are null in the table.

    Raises:
        DataError: The file is missing, damaged, or of another schema version.
    """
    with translate_parquet_errors(path):
        return read_locally(
            path, lambda local: _read_checked(local, schema, may_follow, may_lack), sha256=sha256
        )


def _read_checked(
    path: Path,
    schema: pa.Schema,
    may_follow: Callable[[pa.Field], bool],
    may_lack: Set[str],
) -> pa.Table:
    with pq.ParquetFile(path) as file:
        found = file.schema_arrow
        present = _without_lacking(schema, found=found, may_lack=may_lack)
        more = [field for field in list(found)[len(present) :] if may_follow(field)]
        wanted = pa.schema([*present, *more], metadata=schema.metadata)
        _compare_schemas(found, wanted=wanted, path=path)
        _check_rows(file.metadata.num_rows, path=path)
        table = file.read()
    table.validate(full=True)
    whole = pa.schema([*schema, *more], metadata=table.schema.metadata)
    return table if len(present) == len(schema) else fill_columns(table, schema=whole)


def _without_lacking(schema: pa.Schema, *, found: pa.Schema, may_lack: Set[str]) -> pa.Schema:
    kept = [field for field in schema if field.name in found.names or field.name not in may_lack]
    return pa.schema(kept, metadata=schema.metadata)


Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def fill_columns(rows: Rows, *, schema: pa.Schema) -> Rows:
    """Return rows with all columns of a schema, those that they lack as nulls.

    Args:
        rows: Of a file that may lack columns.
        schema: Of the result.
    """
    columns = [
        rows.column(field.name)
        if field.name in rows.schema.names
        else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return type(rows).from_arrays(columns, schema=schema)


def check_schema(path: Location, schema: pa.Schema, *, may_lack: Set[str] = frozenset()) -> None:
    """Check that a Parquet file is one of our schemas, without reading its rows.

    Args:
        path: The file.
        schema: Expected columns, types, and name and version in the metadata.
        may_lack: Columns that the file may lack.

    Raises:
        DataError: The file is missing, damaged, or of another schema version.
    """
    with translate_parquet_errors(path):
        found = read_locally(path, pq.read_schema)
    wanted = _without_lacking(schema, found=found, may_lack=may_lack)
    _compare_schemas(found, wanted=wanted, path=path)


def _compare_schemas(found: pa.Schema, *, wanted: pa.Schema, path: Location) -> None:
    names = dict(wanted.metadata or {})
    found_names = {k: v for k, v in (found.metadata or {}).items() if k in names}
    if found_names != names:
        raise DataError(
            f"schema {_describe(found_names)} is not {_describe(names)}",
            path=path,
            hint="It was written by another version of this program: write it again.",
        )
    if not found.equals(wanted):
        raise DataError("its columns are not those of its schema", path=path)


_FEW_ROWS = 10_000


def _check_rows(num_rows: int, *, path: Path) -> None:
    # A row of any table here is more than a byte, and a file of some bytes can declare billions.
    size = path.stat().st_size
    if num_rows > max(size, _FEW_ROWS):
        raise DataError(f"{num_rows:,} rows are declared in {size:,} bytes", path=path)


def _describe(metadata: dict[bytes, bytes]) -> str:
    return " ".join(v.decode("utf-8", "replace") for _, v in sorted(metadata.items())) or "(none)"
