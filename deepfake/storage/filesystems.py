"""Open fsspec's file system for a scheme, and list its objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from deepfake.errors import ConfigError, first_line

__all__ = ["file_system", "list_objects"]

_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")
"""Schemes of object stores that fsspec knows; `memory` is one inside a process, for tests."""
_PAGE = 1000


def file_system(scheme: str) -> Any:
    """Return the file system of a scheme; each process has its own, also after a fork."""
    if scheme not in _STORES:
        known = ", ".join(_STORES[:-1])
        raise ConfigError(f"{scheme!r} is not the scheme of an object store ({known})")
    try:
        return _opened(scheme, os.getpid())
    except ImportError as error:
        raise ConfigError(
            f"no package that reads {scheme}:// is installed ({first_line(error)})",
            hint=_how_to_install(scheme),
        ) from error


@cache
def _opened(scheme: str, _process: int) -> Any:
    import fsspec  # only who names a store waits for it

    # fsspec itself makes one for each thread. Others write and delete objects too: listings are
    # not cached.
    return fsspec.filesystem(scheme, use_listings_cache=False)


def _how_to_install(scheme: str) -> str:
    if scheme in {"s3", "s3a"}:
        return "pip install 'deepfake-pipeline[s3]'"
    from fsspec.registry import known_implementations

    package = str(known_implementations[scheme]["class"]).split(".", 1)[0]
    return f"pip install {package}"


def list_objects(store: Any, key: str) -> Iterator[dict[str, Any]]:
    """Yield the listing entry of each object below a key."""
    return _listed_by_s3(store, key) if hasattr(store, "call_s3") else _listed(store, key)


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
    """Yield the objects below a key page by page; s3fs itself would load a whole folder."""
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
            # Web consoles represent an empty folder by a key that ends in a slash.
            if not entry["Key"].endswith("/"):
                yield {**entry, "name": f"{bucket}/{entry['Key']}", "size": entry["Size"]}
        if not page.get("IsTruncated"):
            return
        start = {"ContinuationToken": page["NextContinuationToken"]}
