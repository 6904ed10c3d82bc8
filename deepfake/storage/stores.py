"""Objects of a store: S3, and whatever else fsspec has a file system for.

A put is whole or not there, and nothing is renamed. What a library says of a failure is turned
into this project's errors here.
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

from deepfake.errors import ConfigError, DeepfakeError, StoreError
from deepfake.storage.filesystems import file_system, list_objects, reason_of

__all__ = ["ObjectStat", "StorePath"]

_NS = 10**9


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store says of an object without opening it.

    Attributes:
        size_bytes: Its size.
        mtime_ns: When it was put. Stores tell whole seconds, so what is below a second is taken
            from the tag: another content put in the same second has another time.
        tag: Its ETag, or whatever the store has in its place, be it the time alone.
    """

    size_bytes: int
    mtime_ns: int | None
    tag: str


@dataclass(frozen=True, slots=True, order=True)
class StorePath:
    """An object, or a folder of objects, by its URI.

    It has those of `pathlib.Path`'s methods that a store can keep its word for. It is no
    `os.PathLike`, so that no library takes it for a file here.

    Attributes:
        uri: `s3://bucket/key`, without a slash at its end. Nothing in it is quoted.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> StorePath:
        return StorePath(f"{self.uri}/{name.strip('/')}")

    @property
    def scheme(self) -> str:
        """What is before the colon."""
        return self.uri.partition("://")[0]

    @property
    def name(self) -> str:
        """What is after the last slash."""
        return self.uri.rpartition("/")[2]

    @property
    def parent(self) -> StorePath:
        """The folder around it; a bucket's is itself."""
        above = self.uri.rpartition("/")[0]
        return self if above.endswith(("/", ":")) else StorePath(above)

    def with_name(self, name: str) -> StorePath:
        """Return its neighbour of that name."""
        return self.parent / name

    def relative_to(self, folder: StorePath) -> str:
        """Return the name below a folder."""
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
        """Return whether there is such an object."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Return whether there are objects below it."""
        return next(self.iter_objects(), None) is not None

    def exists(self) -> bool:
        """Return whether there is an object of that name, or objects below it."""
        return self.is_file() or self.is_dir()

    def iter_objects(self) -> Iterator[tuple[StorePath, ObjectStat]]:
        """Yield all objects below it as they are listed, none held back.

        Raises:
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            store = self._store()
            for entry in list_objects(store, self._key()):
                name = str(entry["name"]).lstrip("/")
                yield StorePath(f"{self.scheme}://{name}"), _stat_of(entry)

    def iter_folders(self) -> Iterator[StorePath]:
        """Yield the folders right below it that have objects, however deep.

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

        Everything below is listed, so this is for folders of our own.
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
        """Return a file that asks the store for what is read of it, and no more.

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
        """Put a small object.

        Args:
            content: Its bytes.
            is_new: Only if there is no object of that name; stores without conditional puts do
                not keep to it.

        Raises:
            FileExistsError: There is one, and it was to be new.
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            mode = "create" if is_new else "overwrite"
            self._store().pipe_file(self._key(), content, mode=mode)

    def put(self, local: Path) -> None:
        """Put a local file: afterwards it is there as a whole, or as it was before.

        Raises:
            StoreError: The store refused or did not answer.
        """
        with _translated(self, may_be_missing=False):
            self._store().put_file(str(local), self._key())

    def get(self, local: Path) -> None:
        """Write the content into a local file.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            self._store().get_file(self._key(), str(local))

    def copy_to(self, target: StorePath) -> None:
        """Copy it inside the store.

        Raises:
            FileNotFoundError: No such object.
            StoreError: The store refused or did not answer.
        """
        with _translated(self):
            self._store().cp_file(self._key(), target._key())

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object.

        Raises:
            FileNotFoundError: No such object, and it was to be there.
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
"""What stores' listings call it."""


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
    return ObjectStat(int(entry.get("size") or 0), mtime_ns, etag or str(mtime_ns or ""))


def _seconds_of(told: Any) -> float | None:
    if isinstance(told, str):
        told = datetime.fromisoformat(told)
    if isinstance(told, datetime):
        return told.timestamp()
    return float(told) if isinstance(told, (int, float)) else None


@contextmanager
def _translated(path: StorePath, *, may_be_missing: bool = True) -> Iterator[None]:
    """Turn what a store's library raises into this project's errors.

    That an object is not there stays a `FileNotFoundError`, where it may be so.
    """
    try:
        yield
    except (DeepfakeError, FileExistsError):
        raise
    except FileNotFoundError as error:
        if may_be_missing:
            raise FileNotFoundError(f"no such object: {path.uri}") from error
        raise StoreError(f"no such place ({reason_of(error)})", path=path.uri) from error
    except NotImplementedError as error:
        raise ConfigError(f"{path.scheme}:// cannot be written to", path=path.uri) from error
    except PermissionError as error:
        raise StoreError(f"the store refuses ({reason_of(error)})", path=path.uri) from error
    except Exception as error:  # each library has its own
        reason = f"{type(error).__name__}: {reason_of(error)}"
        raise StoreError(f"the store did not do it ({reason})", path=path.uri) from error
