"""Read and write files, local or in a store: uris, digests, atomic writes, JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from deepfake.errors import DataError, StoreError, UnreadableMediaError
from deepfake.storage.locations import Location, is_store_uri
from deepfake.storage.stores import StorePath

__all__ = [
    "SAMPLED_BYTES",
    "atomic_path",
    "path_of_uri",
    "read_json",
    "read_json_lines",
    "sampled_digest_of",
    "sha256_of",
    "to_uri",
    "write_json",
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
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
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
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on disk.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Place, text: str) -> Place:
    """Write a UTF-8 text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
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
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_reject)
    except StoreError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"not a readable JSON file ({error})", path=path) from error


def read_json_lines(path: Path) -> list[Any]:
    """Read a file that a writer appends a JSON line at a time to.

    Text behind the last line break is left out: its writer was interrupted within the line.

    Raises:
        OSError: The file cannot be read.
        DataError: A line is not JSON.
    """
    values = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
        try:
            values.append(json.loads(line))
        except ValueError as error:
            raise DataError(f"line {number} is not JSON ({error})", path=path) from error
    return values


def _reject(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")
