"""Local copies of a store's objects, so many bytes of them that a disk can hold."""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import filelock

from deepfake.errors import ConfigError, DataError
from deepfake.storage.locations import Location
from deepfake.storage.stores import StorePath

__all__ = [
    "LocalCopies",
    "clear_copies",
    "copies_bytes",
    "folder_locally",
    "local_copy",
    "machine_cache",
    "map_threaded",
    "read_locally",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

_DEFAULT_GIB = 10.0
_CHUNK_BYTES = 1 << 20
_TRIES = 3
_SIDE_BY_SIDE = 16


def machine_cache() -> Path:
    """Return the folder of this machine's caches; what lies there can be had again.

    `DEEPFAKE_CACHE` names it, else it is `deepfake` in the user's folder of caches.
    """
    named = os.environ.get("DEEPFAKE_CACHE")
    if named:
        return Path(named)
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else Path.home() / ".cache") / "deepfake"


def copies_bytes() -> int:
    """Return how many bytes of copies this machine may keep: `DEEPFAKE_CACHE_GIB`, else 10 GiB.

    Raises:
        ConfigError: No number.
    """
    told = os.environ.get("DEEPFAKE_CACHE_GIB", str(_DEFAULT_GIB))
    try:
        size = int(float(told) * 2**30)
    except (ValueError, OverflowError):
        size = -1
    if size < 0:
        raise ConfigError(f"expected a number of GiB in DEEPFAKE_CACHE_GIB, got {told!r}")
    return size


@dataclass(frozen=True, slots=True)
class LocalCopies:
    """A folder of copies that several processes share. The one used longest ago goes first.

    Attributes:
        folder: Where they are.
        max_bytes: Of all together; one that is larger is there alone.
    """

    folder: Path
    max_bytes: int

    def get(self, path: StorePath, *, sha256: str | None = None) -> Path:
        """Return a copy of an object, which another process may remove at any time.

        Args:
            path: The object.
            sha256: What its content must be; None takes what the store has now.

        Raises:
            FileNotFoundError: No such object.
            DataError: The content is another, also when it is fetched again.
            StoreError: The store did not answer.
        """
        name = sha256 or _name_of(path)
        local = self.folder / name[:2] / name
        if self._is_usable(local, sha256):
            return local
        self._fetch(path, local, sha256)
        return local

    def _is_usable(self, local: Path, sha256: str | None) -> bool:
        try:
            os.utime(local)
            return sha256 is None or _sha256_of(local) == sha256
        except FileNotFoundError:
            return False

    def _fetch(self, path: StorePath, local: Path, sha256: str | None) -> None:
        local.parent.mkdir(parents=True, exist_ok=True)
        part = local.with_name(f"{local.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
        try:
            path.get(part)
            if sha256 is not None and _sha256_of(part) != sha256:
                raise DataError("was changed since it was written", path=path)
            part.replace(local)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(keeping=local)

    def _make_room(self, *, keeping: Path) -> None:
        with filelock.FileLock(self.folder / ".lock"):
            found = []
            for file in self.folder.glob("??/*"):
                with suppress(FileNotFoundError):
                    stat = file.stat()
                    found.append((stat.st_mtime_ns, stat.st_size, file))
            total = sum(size for _, size, _ in found)
            for _, size, file in sorted(found):
                if total <= self.max_bytes:
                    return
                if file != keeping:
                    file.unlink(missing_ok=True)
                    total -= size


def _name_of(path: StorePath) -> str:
    told = path.stat()
    text = f"{path.uri} {told.size_bytes} {told.mtime_ns} {told.tag}"
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def read_locally(
    path: Location, read: Callable[[Path], Result], *, sha256: str | None = None
) -> Result:
    """Return what a function reads out of a file, or out of a copy where it lies in a store.

    Args:
        path: The file.
        read: Opens it. What it maps into memory stays readable when the copy is removed.
        sha256: What an object's content must be.

    Raises:
        FileNotFoundError: No such file.
        DataError: The content of an object is another.
        StoreError: The store did not answer.
    """
    if isinstance(path, Path):
        return read(path)
    copies = LocalCopies(machine_cache() / "copies", copies_bytes())
    for _ in range(_TRIES - 1):
        local = copies.get(path, sha256=sha256)
        try:
            return read(local)
        except FileNotFoundError:  # another process made room just now
            continue
    return read(copies.get(path, sha256=sha256))


@contextmanager
def local_copy(path: Location) -> Iterator[Path]:
    """Yield a file, or a copy that nobody else knows of and that goes at the end.

    Args:
        path: The file; one that is here is yielded as it is.

    Raises:
        FileNotFoundError: No such object.
        StoreError: The store did not answer.
    """
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="deepfake-get-") as folder:
        local = Path(folder) / path.name
        path.get(local)
        yield local


def clear_copies() -> int:
    """Remove all copies of objects that this machine keeps, and return how many there were.

    Whoever reads one meanwhile fetches it again.
    """
    folder = machine_cache() / "copies"
    if not folder.is_dir():
        return 0
    with filelock.FileLock(folder / ".lock"):
        found = list(folder.glob("??/*"))
        for file in found:
            file.unlink(missing_ok=True)
    return len(found)


def folder_locally(folder: StorePath) -> Path:
    """Return a local folder with the objects of one in a store, those right below it.

    Raises:
        FileNotFoundError: There is none.
        StoreError: The store did not answer.
    """
    found = sorted((path, told) for path, told in folder.iter_objects() if path.parent == folder)
    if not found:
        raise FileNotFoundError(f"no such folder: {folder.uri}")
    text = "".join(f"{path.name} {told.size_bytes} {told.tag}\n" for path, told in found)
    target = machine_cache() / "folders" / hashlib.sha256(text.encode()).hexdigest()[:16]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as part:
        made = Path(part) / target.name
        made.mkdir()
        for path, _ in found:
            path.get(made / path.name)
        # Of two that make it at once one finds the other's, which is the same.
        with suppress(OSError):
            made.rename(target)
    return target


def map_threaded(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield what a function makes of items, in their order, asking a store for 16 at a time.

    A store answers slowly, and many at once. No more results than that wait to be taken.
    """
    out: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for item in items:
            out.append(pool.submit(function, item))
            if len(out) == _SIDE_BY_SIDE:
                yield out.popleft().result()
        while out:
            yield out.popleft().result()
