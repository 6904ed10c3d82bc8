"""Leases: let one process at a time write to a folder in a store.

A lease is an object that is created only if it does not exist, rewritten while its owner runs, and
expired when it was not rewritten for a while. Ages are measured by the store's own clock, so the
machines' clocks may differ.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from deepfake.errors import StoreError
from deepfake.storage.stores import StorePath

__all__ = ["Lease", "lease_owner", "take_lease"]

_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
_NS = 10**9


class Lease:
    """A lease held by this process until it is released or lost; a thread renews it.

    Args:
        path: The lease's object.
        content: Content of the object; its `token` is unique to this process.
        seconds: The lease expires if it is not renewed for so long.
        began: When it was taken, by `time.monotonic`, or earlier.
    """

    def __init__(
        self, path: StorePath, content: Mapping[str, Any], *, seconds: float, began: float
    ) -> None:
        self._path = path
        self._content = dict(content)
        self._seconds = seconds
        self._renewed = began
        self._is_lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    @property
    def is_ours(self) -> bool:
        """Whether no other process can have taken it."""
        return not self._is_lost and time.monotonic() - self._renewed < self._seconds

    def release(self) -> None:
        """Release the lease."""
        self._stop.set()
        self._thread.join()
        with suppress(StoreError):
            if _token(self._path) == self._content["token"]:
                self._path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._stop.wait(self._seconds / 4):
            with suppress(StoreError):  # tried again soon
                began = time.monotonic()
                if _token(self._path) != self._content["token"]:
                    self._is_lost = True
                    return
                self._path.write_bytes(_encoded(self._content))
                self._renewed = began


def take_lease(
    path: StorePath, owner: Mapping[str, Any], *, seconds: float = _SECONDS
) -> Lease | None:
    """Take a lease, or return None if another process holds it.

    A lease of a process of this machine that no longer runs counts as expired.

    Args:
        path: The lease's object.
        owner: Describes the owner, for people.
        seconds: The lease expires if it is not renewed for so long.

    Raises:
        StoreError: The store refused or did not answer.
    """
    token = uuid.uuid4().hex
    content = {"token": token, "owner": dict(owner), "process": _this_process()}
    found = _read(path)
    if found is not None and not (_is_dead_here(found) or _is_expired(path, seconds)):
        return None
    if found is not None:
        path.unlink(missing_ok=True)
    began = time.monotonic()
    try:
        path.write_bytes(_encoded(content), is_new=True)
    except FileExistsError:
        return None
    if found is not None:
        # Another process that saw the same expired lease may have deleted ours instead.
        time.sleep(_SETTLE_SECONDS)
    if _token(path) != token:
        return None
    return Lease(path, content, seconds=seconds, began=began)


def lease_owner(path: StorePath, *, seconds: float = _SECONDS) -> dict[str, Any] | None:
    """Return the description of a lease's owner; None if nobody holds it."""
    found = _read(path)
    if found is None or _is_dead_here(found) or _is_expired(path, seconds):
        return None
    owner = found.get("owner")
    return dict(owner) if isinstance(owner, dict) else {}


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _read(path: StorePath) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _token(path: StorePath) -> str | None:
    found = _read(path) or {}
    return found.get("token")


def _is_expired(path: StorePath, seconds: float) -> bool:
    """Return whether a lease was not renewed for so long, by the store's clock."""
    probe = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        renewed = path.stat().mtime_ns
        probe.write_bytes(b"")
        now = probe.stat().mtime_ns
    except FileNotFoundError:
        return True
    finally:
        probe.unlink(missing_ok=True)
    return renewed is not None and now is not None and now // _NS - renewed // _NS > seconds


def _this_process() -> dict[str, Any]:
    process = psutil.Process()
    return {"machine": _machine(), "pid": process.pid, "began": process.create_time()}


def _machine() -> str:
    """Return an identifier of this machine and container; empty if there is none."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path
    return ""


def _is_dead_here(content: Mapping[str, Any]) -> bool:
    """Return whether a lease was taken by a process of this machine that no longer runs."""
    process = content.get("process")
    if not isinstance(process, dict) or not _machine() or process.get("machine") != _machine():
        return False
    try:
        return bool(psutil.Process(int(process["pid"])).create_time() != process["began"])
    except psutil.NoSuchProcess:
        return True
    except (KeyError, TypeError, ValueError, psutil.Error):
        return False
