"""What fsspec has for each kind of store, and how the objects of each are listed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import fsspec
from fsspec.registry import known_implementations

from deepfake.errors import ConfigError

__all__ = ["file_system", "list_objects", "reason_of"]

_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")
"""Schemes of object stores that fsspec knows; `memory` is one inside a process, for tests."""
_PAGE = 1000


def file_system(scheme: str) -> Any:
    """Return the store of a scheme: one a process, none taken over a fork."""
    if scheme not in _STORES:
        known = ", ".join(_STORES[:-1])
        raise ConfigError(f"{scheme!r} is not the scheme of an object store ({known})")
    try:
        return _opened(scheme, os.getpid())
    except ImportError as error:
        raise ConfigError(
            f"nothing is installed that reads {scheme}:// ({reason_of(error)})",
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


def list_objects(store: Any, key: str) -> Iterator[dict[str, Any]]:
    """Yield what a store tells of each object below a key."""
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


def reason_of(error: Exception) -> str:
    """Return the first line of what a library says."""
    return next(iter(str(error).splitlines()), "") or "no reason given"
