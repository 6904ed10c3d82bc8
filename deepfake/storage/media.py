"""Media for a worker to read: where they are, or as a copy that goes when they were read."""

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

__all__ = ["is_there", "medium_file", "stat_medium"]

_CHUNK_BYTES = 8 << 20
_HANDLES = Path("/proc/self/fd")


def stat_medium(uri: str) -> tuple[int, int | None]:
    """Return size in bytes and time of the last change, nanoseconds, of a medium.

    Raises:
        FileNotFoundError: It is not there.
        OSError: The system, or the store, refuses to look.
    """
    place = location_of(uri) if is_store_uri(uri) else path_of_uri(uri)
    if isinstance(place, StorePath):
        told = place.stat()
        return told.size_bytes, told.mtime_ns
    found = place.stat()
    return found.st_size, found.st_mtime_ns


def is_there(uri: str) -> bool:
    """Return whether something bears the name, be it a link to nothing."""
    if is_store_uri(uri):
        place = location_of(uri)
        return isinstance(place, StorePath) and place.is_file()
    path = path_of_uri(uri)
    return path.is_symlink() or path.exists()


@contextmanager
def medium_file(uri: str, *, max_bytes: int) -> Iterator[Path]:
    """Yield a path under which a medium can be read.

    Of a medium in a store that is a copy without a name, which is gone with this process, whatever
    ends it. No more bytes are fetched than the store says that it has.

    Args:
        uri: An absolute path, or a URI of a store.
        max_bytes: What is larger is not fetched; files here are for the reader to refuse.

    Raises:
        MediaTooLargeError: An object of more bytes.
        FileNotFoundError: No such object.
        StoreError: The store did not answer, or the object changed meanwhile.
    """
    place = location_of(uri) if is_store_uri(uri) else path_of_uri(uri)
    if isinstance(place, Path):
        yield place
        return
    told = place.stat()
    if told.size_bytes > max_bytes:
        raise MediaTooLargeError(
            f"the file has {told.size_bytes:,} bytes, at most {max_bytes:,} are allowed", path=uri
        )
    if not _HANDLES.is_dir():
        with tempfile.NamedTemporaryFile(prefix="deepfake-medium-") as stream:
            _fetch(place, told, stream)
            yield Path(stream.name)
        return
    # It never has a name that a killed process could leave behind.
    with tempfile.TemporaryFile() as nameless:
        _fetch(place, told, nameless)
        yield _HANDLES / str(nameless.fileno())


def _fetch(place: StorePath, told: ObjectStat, stream: IO[bytes]) -> None:
    for start in range(0, told.size_bytes, _CHUNK_BYTES):
        end = min(start + _CHUNK_BYTES, told.size_bytes)
        chunk = place.read_bytes(start, end)
        if len(chunk) != end - start:
            raise StoreError("ended before its time", path=place.uri)
        stream.write(chunk)
    stream.flush()
    if place.stat() != told:
        raise StoreError("was changed while it was fetched", path=place.uri)
