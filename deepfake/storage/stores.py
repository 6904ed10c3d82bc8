"""Paths in an object store: S3, and the others that fsspec has a file system for.

An upload is atomic, and nothing is renamed. Errors of the store's library are translated into this
project's errors here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake.errors import ConfigError, DeepfakeError, StoreError, first_line
from deepfake.storage.filesystems import file_system, list_objects
from deepfake.storage.times import storable_ns

__all__ = ["ObjectStat", "StorePath"]

_NS = 10**9


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """Size, time and tag of an object, as the store lists them.

    Attributes:
        size_bytes: Its size.
        mtime_ns: When it was written. Stores give whole seconds; the fraction is derived from the
            tag, so that another content written in the same second has another time.
        tag: Its ETag, or what the store has in its place; the time if it has nothing.
    """

    size_bytes: int
    mtime_ns: int | None
    tag: str


@dataclass(frozen=True, slots=True, order=True)
class StorePath:
    """An object, or a folder of objects, by its URI.

    It has the methods of `pathlib.Path` that a store can support. It is not an `os.PathLike`, so
    that no library takes it for a local file.

    Attributes:
        uri: `s3://bucket/key`, without a trailing slash. Nothing in it is percent-encoded.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> StorePath:
        return StorePath(f"{self.uri}/{name.strip('/')}")

    @property
    def scheme(self) -> str:
        """The scheme of the URI, `s3`."""
        return self.uri.partition("://")[0]

    @property
    def name(self) -> str:
        """The part after the last slash."""
        return self.uri.rpartition("/")[2]

    @property
    def parent(self) -> StorePath:
        """The parent folder; a bucket is its own parent."""
        above = self.uri.rpartition("/")[0]
        return self if above.endswith(("/", ":")) else StorePath(above)

    def with_name(self, name: str) -> StorePath:
        """Return the path of that name in the same folder."""
        return self.parent / name

    def relative_to(self, folder: StorePath) -> str:
        """Return the path relative to a folder, as text."""
        return self.uri.removeprefix(f"{folder.uri}/")

    def stat(self) -> ObjectStat:
        """Return size, time and tag.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            found = self._store().info(self._key())
        if found.get("type") == "directory":
            raise FileNotFoundError(f"no such object: {self.uri}")
        return _stat_of(found)

    def is_file(self) -> bool:
        """Return whether the object exists."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Return whether there are objects below it."""
        return next(self.iter_objects(), None) is not None

    def exists(self) -> bool:
        """Return whether the object, or any object below it, exists."""
        return self.is_file() or self.is_dir()

    def iter_objects(self) -> Iterator[tuple[StorePath, ObjectStat]]:
        """Yield all objects below it, as the store lists them.

        Raises:
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            store = self._store()
            for entry in list_objects(store, self._key()):
                name = str(entry["name"]).lstrip("/")
                yield StorePath(f"{self.scheme}://{name}"), _stat_of(entry)

    def iter_folders(self) -> Iterator[StorePath]:
        """Yield the direct subfolders that hold objects, at any depth.

        Raises:
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            try:
                entries = self._store().ls(self._key(), detail=True)
            except FileNotFoundError:
                return
            for entry in entries:
                if entry.get("type") == "directory":
                    folder = self / str(entry["name"]).rstrip("/").rpartition("/")[2]
                    if folder.is_dir():  # some stores keep the names of empty ones
                        yield folder

    def glob(self, pattern: str) -> Iterator[StorePath]:
        """Yield the objects below it whose names match; `*` does not stand for a slash.

        All objects below are listed, so this is for folders that this project wrote.
        """
        wanted = PurePosixPath(pattern).parts
        for path, _ in self.iter_objects():
            found = path.relative_to(self).split("/")
            if len(found) == len(wanted) and all(map(fnmatchcase, found, wanted)):
                yield path

    def read_bytes(self, start: int | None = None, end: int | None = None) -> bytes:
        """Return the content, or bytes `start` to `end` of it.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            return bytes(self._store().cat_file(self._key(), start=start, end=end))

    def open(self) -> Any:
        """Open the object as a file that downloads only the bytes that are read.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            return self._store().open(self._key(), "rb", cache_type="none")

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the content as text."""
        return self.read_bytes().decode(encoding, errors)

    def write_bytes(self, content: bytes, *, is_new: bool = False) -> None:
        """Write a small object.

        Args:
            content: Its bytes.
            is_new: Fail if the object exists; stores without conditional writes ignore it.

        Raises:
            FileExistsError: `is_new`, and the object exists.
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            mode = "create" if is_new else "overwrite"
            self._store().pipe_file(self._key(), content, mode=mode)

    def put(self, local: Path) -> None:
        """Upload a local file, atomically.

        Raises:
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            self._store().put_file(str(local), self._key())

    def get(self, local: Path) -> None:
        """Download the object into a local file.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            self._store().get_file(self._key(), str(local))

    def copy_to(self, target: StorePath) -> None:
        """Copy the object within the store.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            self._store().cp_file(self._key(), target._key())

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object.

        Raises:
            FileNotFoundError: No such object, unless `missing_ok`.
            StoreError: The store refused or did not answer.
        """
        try:
            with _translated(self):
                self._store().rm_file(self._key())
        except FileNotFoundError:
            if not missing_ok:
                raise

    def _key(self) -> str:
        return self.uri.partition("://")[2]

    def _store(self) -> Any:
        return file_system(self.scheme)


_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
"""Names of the tag and the time in the listings of different stores."""


def _stat_of(entry: dict[str, Any]) -> ObjectStat:
    etag = next((str(entry[name]) for name in _TAGS if entry.get(name)), "").strip('"')
    seconds = _seconds_of(next((entry[name] for name in _TIMES if entry.get(name)), None))
    if seconds is None:
        mtime_ns = None
    elif etag:
        below = int(hashlib.sha256(etag.encode()).hexdigest()[:8], 16) % _NS
        mtime_ns = int(seconds) * _NS + below
    else:
        mtime_ns = int(seconds * _NS)
    mtime_ns = None if mtime_ns is None else storable_ns(mtime_ns)
    return ObjectStat(int(entry.get("size") or 0), mtime_ns, etag or str(mtime_ns or ""))


_MOST_SECONDS = 1e15


def _seconds_of(time: Any) -> float | None:
    try:
        if isinstance(time, str):
            time = datetime.fromisoformat(time)
        if isinstance(time, datetime):
            return time.timestamp()
    except (ValueError, OverflowError):  # no date, or one that this machine cannot reckon with
        return None
    is_number = isinstance(time, (int, float)) and abs(time) < _MOST_SECONDS
    return float(time) if is_number else None


@contextmanager
def _translated(path: StorePath, *, may_be_missing: bool = True) -> Iterator[None]:
    """Translate errors of the store's library into this project's errors.

    A missing object stays a `FileNotFoundError` if `may_be_missing`.
    """
    try:
        yield
    except (DeepfakeError, FileExistsError):
        raise
    except FileNotFoundError as error:
        if may_be_missing:
            raise FileNotFoundError(f"no such object: {path.uri}") from error
        raise StoreError(
            f"no such bucket or folder ({first_line(error)})", path=path.uri
        ) from error
    except NotImplementedError as error:
        raise ConfigError(
            f"{path.scheme}:// does not support this operation", path=path.uri
        ) from error
    except PermissionError as error:
        raise StoreError(f"the store denies access ({first_line(error)})", path=path.uri) from error
    except Exception as error:  # each library has its own
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise StoreError(f"the store failed ({reason})", path=path.uri) from error
