"""Open media for a worker: a local file in place, an object as a temporary copy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deepfake.errors import MediaTooLargeError, StoreError
from deepfake.storage.files import path_of_uri
from deepfake.storage.locations import is_store_uri, location_of
from deepfake.storage.stores import ObjectStat, StorePath
from deepfake.storage.times import storable_ns

__all__ = ["medium_exists", "medium_file", "stat_medium"]

_CHUNK_BYTES = 8 << 20
_HANDLES = Path("/proc/self/fd")


def stat_medium(uri: str) -> tuple[int, int | None]:
    """Return the size of a medium in bytes and its time of change in nanoseconds.

    Raises:
        FileNotFoundError: It does not exist.
        OSError: The system or the store denies access.
    """
    place = location_of(uri) if is_store_uri(uri) else path_of_uri(uri)
    if isinstance(place, StorePath):
        stat = place.stat()
        return stat.size_bytes, stat.mtime_ns
    found = place.stat()
    return found.st_size, storable_ns(found.st_mtime_ns)


def medium_exists(uri: str) -> bool:
    """Return whether a uri exists; a broken symlink counts."""
    if is_store_uri(uri):
        place = location_of(uri)
        return isinstance(place, StorePath) and place.is_file()
    path = path_of_uri(uri)
    return path.is_symlink() or path.exists()


@contextmanager
def medium_file(uri: str, *, max_bytes: int) -> Iterator[Path]:
    """Yield a local path under which a medium can be read.

    An object is downloaded into an unnamed temporary file, which disappears with this process
    however it ends. No more bytes are downloaded than the store declares.

    Args:
        uri: An absolute path, or an object-store URI.
        max_bytes: Larger objects are not downloaded; the size of local files is not checked here.

    Raises:
        MediaTooLargeError: The object is larger than `max_bytes`.
        FileNotFoundError: No such object.
        StoreError: The store did not answer, or the object changed meanwhile.
    """
    place = location_of(uri) if is_store_uri(uri) else path_of_uri(uri)
    if isinstance(place, Path):
        yield place
        return
    stat = place.stat()
    if stat.size_bytes > max_bytes:
        raise MediaTooLargeError(
            f"the file has {stat.size_bytes:,} bytes, at most {max_bytes:,} are allowed", path=uri
        )
    if not _HANDLES.is_dir():
        with tempfile.NamedTemporaryFile(prefix="deepfake-medium-") as stream:
            _download(place, stat, stream)
            yield Path(stream.name)
        return
    # Without a name, a killed process leaves nothing behind.
    with tempfile.TemporaryFile() as unnamed:
        _download(place, stat, unnamed)
        yield _HANDLES / str(unnamed.fileno())


def _download(place: StorePath, stat: ObjectStat, stream: IO[bytes]) -> None:
    for start in range(0, stat.size_bytes, _CHUNK_BYTES):
        end = min(start + _CHUNK_BYTES, stat.size_bytes)
        chunk = place.read_bytes(start, end)
        if len(chunk) != end - start:
            raise StoreError("the object ended early", path=place.uri)
        stream.write(chunk)
    stream.flush()
    if place.stat() != stat:
        raise StoreError("the object was changed while it was downloaded", path=place.uri)
