"""Where things lie under the data root, and writing that leaves a whole file or none."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.errors import DataError, UnreadableMediaError

__all__ = [
    "DataRoot",
    "atomic_path",
    "path_of_uri",
    "read_json",
    "read_table",
    "sha256_of",
    "to_uri",
    "write_json",
    "write_table",
    "write_text",
]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The layout of the folder that holds everything but code and tracking.

    Attributes:
        path: The folder; made when something is written.
    """

    path: Path

    def manifest(self, corpus: str) -> Path:
        """Return where the manifest of a corpus lies."""
        return self.path / "manifests" / f"{corpus}.parquet"

    def corpus_shards(self, corpus: str) -> Path:
        """Return the folder of all snapshots and shards of a corpus."""
        return self.path / "shards" / corpus

    @property
    def splits(self) -> Path:
        """The folder of kept group assignments."""
        return self.path / "splits"

    @property
    def runs(self) -> Path:
        """The folder of training runs."""
        return self.path / "runs"

    @property
    def detectors(self) -> Path:
        """The folder of detector bundles."""
        return self.path / "detectors"

    @property
    def evaluations(self) -> Path:
        """The folder of evaluation results."""
        return self.path / "evaluations"

    @property
    def engine_cache(self) -> Path:
        """The folder of networks converted for the CPU; whatever lies there can be made again."""
        return self.path / ".cache" / "openvino"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home, unless `PREFECT_HOME` says otherwise."""
        return self.path / ".prefect"


def to_uri(path: str | os.PathLike[str]) -> str:
    """Return the key of a file: its absolute POSIX path, links kept as they are."""
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100 - resolve() would follow links


def path_of_uri(uri: str) -> Path:
    """Return the local path of a URI.

    Raises:
        DataError: The URI has a scheme that is not read yet.
    """
    if "://" in uri:
        raise DataError(f"only local files are read, got the scheme {uri.split('://')[0]!r}")
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


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a `.part` beside `path`; synced and renamed on success, removed on failure.

    The name is the writer's own, so two writers of one file do not mix their bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write a JSON file with sorted keys; NaN is refused, since JSON has none."""
    return write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"not a readable JSON file ({error})", path=path) from error


def write_table(path: Path, table: pa.Table) -> Path:
    """Write a Parquet file, whole or not at all."""
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd")
    return path


def read_table(path: Path, *, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file of one of our schemas.

    Args:
        path: The file.
        schema: What it must be; its metadata name and version are compared.

    Raises:
        DataError: The file is missing, damaged, or of another schema version.
    """
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"not a readable Parquet file ({error})", path=path) from error
    wanted = dict(schema.metadata or {})
    found = {k: v for k, v in (table.schema.metadata or {}).items() if k in wanted}
    if found != wanted:
        raise DataError(
            f"schema {_describe(found)} is not {_describe(wanted)}",
            path=path,
            hint="It was written by another version of this program: make it anew.",
        )
    return table


def _describe(metadata: dict[bytes, bytes]) -> str:
    return " ".join(v.decode() for _, v in sorted(metadata.items())) or "(none)"
