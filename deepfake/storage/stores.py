"""Objects of a store: S3, and whatever else fsspec has a file system for.

A put is whole or not there, and nothing is renamed. What a library says of a failure is turned
into this project's errors here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.registry import known_implementations

from deepfake.errors import ConfigError, DeepfakeError, StoreError

__all__ = [
    "Location",
    "ObjectStat",
    "StorePath",
    "folders_in",
    "is_store_uri",
    "local_path",
    "location_of",
    "remove_folder",
]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")
"""Schemes of object stores that fsspec knows; `memory` is one inside a process, for tests."""
_PAGE = 1000
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
            list_entries = _listed_by_s3 if hasattr(store, "call_s3") else _listed
            for entry in list_entries(store, self._key()):
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
        return _file_system(self.scheme)


Location = Path | StorePath
"""A file or folder, here or in a store."""


def is_store_uri(text: str) -> bool:
    """Return whether a text names something in a store, not a file here."""
    return "://" in text


def location_of(text: str | Path | StorePath) -> Location:
    """Return what a text from the command line names: a path, or a URI of a store.

    Raises:
        ConfigError: A scheme that nothing reads, or whose package is missing.
    """
    if isinstance(text, StorePath):
        return text
    found = _SCHEME.match(str(text))
    if found is None:
        return Path(text)
    if not is_store_uri(str(text)):
        # `Path` made one slash of two, or a shell's user forgot one.
        raise ConfigError(
            f"a URI of a store was meant, or a folder named '{found[1]}:', which is not taken",
            hint=f"Write {found[1]}://bucket/name. Commands that say no URI take local paths only.",
        )
    scheme, rest = str(text).split("://", 1)
    if "@" in rest.split("/", 1)[0]:
        raise ConfigError(
            f"credentials do not belong into a URI ({scheme}://...)",
            hint="Give them as the store's own environment variables or configuration files.",
        )
    _file_system(scheme.lower())
    if not rest.strip("/") or rest.startswith("/") or "::" in str(text):
        raise ConfigError(f"expected {scheme}://bucket/name, got {text}")
    return StorePath(f"{scheme.lower()}://{rest.rstrip('/')}")


def local_path(text: str | Path | StorePath) -> Path:
    """Return what a text names, which has to be here.

    Raises:
        ConfigError: It is in a store.
    """
    place = location_of(text)
    if isinstance(place, StorePath):
        raise ConfigError(f"expected a file or folder of this machine, got {place}")
    return place


def folders_in(place: Location) -> list[str]:
    """Return the names of the folders right below one, sorted; none where it is not there.

    Raises:
        StoreError: The store refused or did not answer.
    """
    if isinstance(place, StorePath):
        return sorted(folder.name for folder in place.iter_folders())
    if not place.is_dir():
        return []
    return sorted(path.name for path in place.iterdir() if path.is_dir())


def remove_folder(place: Location) -> bool:
    """Remove a folder and all that is in it, and return whether there was anything.

    Raises:
        StoreError: The store refused or did not answer.
    """
    if isinstance(place, Path):
        if not place.is_dir():
            return False
        shutil.rmtree(place)
        return True
    found = [path for path, _ in place.iter_objects()]
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)


def _file_system(scheme: str) -> Any:
    """Return the store of a scheme: one a process, none taken over a fork."""
    if scheme not in _STORES:
        known = ", ".join(_STORES[:-1])
        raise ConfigError(f"{scheme!r} is not the scheme of an object store ({known})")
    try:
        return _opened(scheme, os.getpid())
    except ImportError as error:
        raise ConfigError(
            f"nothing is installed that reads {scheme}:// ({_reason(error)})",
            hint=_how_to_install(scheme),
        ) from error


@cache
def _opened(scheme: str, _process: int) -> Any:
    # fsspec itself makes one a thread. Others put and remove objects too: what was listed once is
    # not remembered.
    return fsspec.filesystem(scheme, use_listings_cache=False)


def _how_to_install(scheme: str) -> str:
    if scheme in {"s3", "s3a"}:
        return "pip install 'deepfake-pipeline[s3]'"
    package = str(known_implementations[scheme]["class"]).split(".", 1)[0]
    return f"pip install {package}"


def _listed(store: Any, key: str) -> Iterator[dict[str, Any]]:
    """Yield the objects below a key, a folder at a time."""
    folders = [key]
    while folders:
        try:
            entries = store.ls(folders.pop(), detail=True)
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.get("type") == "directory":
                folders.append(str(entry["name"]))
            elif str(entry["name"]).strip("/") != key.strip("/"):
                yield entry


def _listed_by_s3(store: Any, key: str) -> Iterator[dict[str, Any]]:
    """Yield the objects below a key, a page at a time: s3fs itself gathers a whole folder."""
    bucket, _, prefix = key.partition("/")
    start: dict[str, str] = {}
    while True:
        page = store.call_s3(
            "list_objects_v2",
            Bucket=bucket,
            Prefix=f"{prefix}/" if prefix else "",
            MaxKeys=_PAGE,
            **start,
        )
        for entry in page.get("Contents", ()):
            # A key with a slash at its end is what browsers make of a folder.
            if not entry["Key"].endswith("/"):
                yield {**entry, "name": f"{bucket}/{entry['Key']}", "size": entry["Size"]}
        if not page.get("IsTruncated"):
            return
        start = {"ContinuationToken": page["NextContinuationToken"]}


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
        raise StoreError(f"no such place ({_reason(error)})", path=path.uri) from error
    except NotImplementedError as error:
        raise ConfigError(f"{path.scheme}:// cannot be written to", path=path.uri) from error
    except PermissionError as error:
        raise StoreError(f"the store refuses ({_reason(error)})", path=path.uri) from error
    except Exception as error:  # each library has its own
        reason = f"{type(error).__name__}: {_reason(error)}"
        raise StoreError(f"the store did not do it ({reason})", path=path.uri) from error


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or "no reason given"
