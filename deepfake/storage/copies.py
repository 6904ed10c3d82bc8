"""Local copies of objects in a store: a cache of bounded size, and temporary copies."""

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
    "cache_folder",
    "clear_copies",
    "copy_folder_locally",
    "engine_cache",
    "local_copy",
    "map_threaded",
    "max_copies_bytes",
    "read_locally",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

_DEFAULT_GIB = 10.0
_CHUNK_BYTES = 1 << 20
_TRIES = 3
_NUM_THREADS = 16


def cache_folder() -> Path:
    """Return the cache folder of this machine; its content can always be made again.

    It is `DEEPFAKE_CACHE` if set, else `deepfake` in the user's cache folder.
    """
    named = os.environ.get("DEEPFAKE_CACHE")
    if named:
        return Path(named)
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else Path.home() / ".cache") / "deepfake"


def engine_cache() -> Path:
    """Return the folder of networks converted for the CPU, which all data roots share.

    They are named by their content, and converting them takes ten seconds.
    """
    return cache_folder() / "openvino"


def max_copies_bytes() -> int:
    """Return the size limit of the cache of copies: `DEEPFAKE_CACHE_GIB`, else 10 GiB.

    Raises:
        ConfigError: The variable is not a number.
    """
    gib = os.environ.get("DEEPFAKE_CACHE_GIB", str(_DEFAULT_GIB))
    try:
        size = int(float(gib) * 2**30)
    except (ValueError, OverflowError):
        size = -1
    if size < 0:
        raise ConfigError(f"expected a number of GiB in DEEPFAKE_CACHE_GIB, got {gib!r}")
    return size


@dataclass(frozen=True, slots=True)
class LocalCopies:
    """A cache of copies that several processes share; the least recently used is removed first.

    Attributes:
        folder: The folder that holds them.
        max_bytes: Size limit of all copies together; a larger object is kept alone.
    """

    folder: Path
    max_bytes: int

    def get(self, path: StorePath, *, sha256: str | None = None) -> Path:
        """Return a copy of an object; another process may remove it at any time.

        Args:
            path: The object.
            sha256: Expected SHA-256 of the content; None accepts what the store has now.

        Raises:
            FileNotFoundError: No such object.
            DataError: The content differs, also after it was downloaded again.
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
        temporary = local.with_name(f"{local.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
        try:
            path.get(temporary)
            if sha256 is not None and _sha256_of(temporary) != sha256:
                raise DataError("the object was changed since it was written", path=path)
            temporary.replace(local)
        finally:
            temporary.unlink(missing_ok=True)
        self._evict(keeping=local)

    def _evict(self, *, keeping: Path) -> None:
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
    stat = path.stat()
    text = f"{path.uri} {stat.size_bytes} {stat.mtime_ns} {stat.tag}"
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
    """Call a function with a file, or with a local copy if the file is in a store.

    Args:
        path: The file.
        read: Reads a local file. Memory that it maps stays valid when the copy is removed.
        sha256: Expected SHA-256 of an object's content.

    Returns:
        What the function returns.

    Raises:
        FileNotFoundError: No such file.
        DataError: The content of an object differs.
        StoreError: The store did not answer.
    """
    if isinstance(path, Path):
        return read(path)
    copies = LocalCopies(cache_folder() / "copies", max_copies_bytes())
    for _ in range(_TRIES - 1):
        local = copies.get(path, sha256=sha256)
        try:
            return read(local)
        except FileNotFoundError:  # another process removed the copy just now
            continue
    return read(copies.get(path, sha256=sha256))


@contextmanager
def local_copy(path: Location) -> Iterator[Path]:
    """Yield a local file, or a temporary copy of an object, deleted at the end of the block.

    Args:
        path: The file.

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
    """Delete all cached copies of objects on this machine, and return how many there were.

    A process that is reading one downloads it again.
    """
    folder = cache_folder() / "copies"
    if not folder.is_dir():
        return 0
    with filelock.FileLock(folder / ".lock"):
        found = list(folder.glob("??/*"))
        for file in found:
            file.unlink(missing_ok=True)
    return len(found)


def copy_folder_locally(folder: StorePath) -> Path:
    """Return a local copy of a folder in a store, without its subfolders.

    Raises:
        FileNotFoundError: No such folder.
        StoreError: The store did not answer.
    """
    found = sorted((path, stat) for path, stat in folder.iter_objects() if path.parent == folder)
    if not found:
        raise FileNotFoundError(f"no such folder: {folder.uri}")
    text = "".join(f"{path.name} {stat.size_bytes} {stat.tag}\n" for path, stat in found)
    target = cache_folder() / "folders" / hashlib.sha256(text.encode()).hexdigest()[:16]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        made.mkdir()
        for path, _ in found:
            path.get(made / path.name)
        # If two processes make it at once, one of them finds the other's, which is equal.
        with suppress(OSError):
            made.rename(target)
    return target


def map_threaded(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield a function's results for items, in their order, computed by 16 threads.

    A store answers each request slowly, but many at once. At most 16 results are held.
    """
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) == _NUM_THREADS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
