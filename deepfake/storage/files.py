"""Read and write files, local or in a store: uris, digests, atomic writes, JSON and Parquet."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.errors import DataError, StoreError, UnreadableMediaError
from deepfake.storage.copies import read_locally
from deepfake.storage.locations import Location, is_store_uri
from deepfake.storage.stores import StorePath

__all__ = [
    "SAMPLED_BYTES",
    "atomic_path",
    "check_schema",
    "fill_columns",
    "path_of_uri",
    "read_json",
    "read_table",
    "sampled_digest_of",
    "sha256_of",
    "table_of",
    "to_uri",
    "write_json",
    "write_table",
    "write_text",
]

Place = TypeVar("Place", bound=Location)

_CHUNK_BYTES = 1 << 20


def to_uri(path: str | os.PathLike[str] | StorePath) -> str:
    """Return the uri of a file: its absolute POSIX path, symlinks kept, or its store URI."""
    if isinstance(path, StorePath):
        return path.uri
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100 - resolve() would follow links


def path_of_uri(uri: str) -> Path:
    """Return the local path that a uri stands for.

    Raises:
        DataError: The uri is in a store.
    """
    if is_store_uri(uri):
        raise DataError(f"only local files are read here, got the scheme {uri.split('://')[0]!r}")
    return Path(uri)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits.

    Raises:
        UnreadableMediaError: The operating system refused to read the file.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableMediaError(f"cannot be read ({reason})", path=path) from error
    return digest.hexdigest()


_SAMPLES = 16
_SAMPLE_BYTES = 1 << 18
SAMPLED_BYTES = _SAMPLES * _SAMPLE_BYTES
"""Bytes of a large file that `sampled_digest_of` reads."""


def sampled_digest_of(path: Path) -> str:
    """Return a digest of a file's size and of 16 samples, a quarter of a MiB each.

    A file no larger than all samples together gets the digest of `sha256_of`. Two large files that
    differ only between the samples get the same digest.

    Raises:
        UnreadableMediaError: The operating system refused to read the file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            if size <= SAMPLED_BYTES:
                return sha256_of(path)
            digest = hashlib.sha256(f"sampled {_SAMPLES} {_SAMPLE_BYTES} {size}\n".encode())
            for at in range(_SAMPLES):
                stream.seek(at * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                digest.update(stream.read(_SAMPLE_BYTES))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableMediaError(f"cannot be read ({reason})", path=path) from error
    return digest.hexdigest()


@contextmanager
def atomic_path(path: Location) -> Iterator[Path]:
    """Yield a temporary path beside `path`; synced and renamed on success, removed on failure.

    Its name, which ends in `.part`, is unique, so two writers of one file do not mix their bytes.
    A file for a store is written to local disk first and uploaded on success.

    Raises:
        DataError: The disk is full.
    """
    if isinstance(path, StorePath):
        with tempfile.TemporaryDirectory(prefix="deepfake-put-") as folder:
            yield Path(folder) / path.name
            path.put(Path(folder) / path.name)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                "the disk is full",
                path=path.parent,
                hint="Free some space and run again: what was finished is kept.",
            ) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Place, text: str) -> Place:
    """Write a UTF-8 text file atomically."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def write_json(path: Place, value: Any) -> Place:
    """Write a JSON file with sorted keys; NaN is an error, since JSON has none."""
    return write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Location) -> Any:
    """Read a JSON file.

    Raises:
        DataError: The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except StoreError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"not a readable JSON file ({error})", path=path) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


def write_table(path: Place, table: pa.Table) -> Place:
    """Write a Parquet file atomically."""
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd")
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
    try:
        return read_locally(
            path, lambda local: _read_checked(local, schema, may_follow, may_lack), sha256=sha256
        )
    except (StoreError, DataError):
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"not a readable Parquet file ({error})", path=path) from error


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
    try:
        found = read_locally(path, pq.read_schema)
    except (StoreError, DataError):
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"not a readable Parquet file ({error})", path=path) from error
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
