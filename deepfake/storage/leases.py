"""Who is at work in a folder of a store: one at a time, and nobody for ever.

A lease is an object that is put only if there is none, put again while its owner lives, and over
when it was not for a while. All times are the store's own, so clocks that differ do no harm.
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
    """A lease that is ours until it is released, or was lost.

    Args:
        path: Its object.
        content: What it says; `token` is ours alone.
        seconds: It is over if it was not put again for so long.
        began: When it was put, by `time.monotonic`, or earlier.
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
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    @property
    def is_ours(self) -> bool:
        """Whether nobody else can have taken it."""
        return not self._is_lost and time.monotonic() - self._renewed < self._seconds

    def release(self) -> None:
        """Give it up."""
        self._stop.set()
        self._thread.join()
        with suppress(StoreError):
            if _token(self._path) == self._content["token"]:
                self._path.unlink(missing_ok=True)

    def _keep(self) -> None:
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
    """Take a lease, or return None if somebody else has it.

    That of a process of this machine that is gone is over at once.

    Args:
        path: Its object.
        owner: Who takes it, for people.
        seconds: How long it lasts without being put again.

    Raises:
        StoreError: The store refused or did not answer.
    """
    token = uuid.uuid4().hex
    content = {"token": token, "owner": dict(owner), "process": _this_process()}
    found = _read(path)
    if found is not None and not (_is_dead_here(found) or _is_over(path, seconds)):
        return None
    if found is not None:
        path.unlink(missing_ok=True)
    began = time.monotonic()
    try:
        path.write_bytes(_encoded(content), is_new=True)
    except FileExistsError:
        return None
    if found is not None:
        # Whoever found the same one over may have removed ours in its place.
        time.sleep(_SETTLE_SECONDS)
    if _token(path) != token:
        return None
    return Lease(path, content, seconds=seconds, began=began)


def lease_owner(path: StorePath, *, seconds: float = _SECONDS) -> dict[str, Any] | None:
    """Return what the owner of a lease said of itself; None if nobody has it."""
    found = _read(path)
    if found is None or _is_dead_here(found) or _is_over(path, seconds):
        return None
    owner = found.get("owner")
    return dict(owner) if isinstance(owner, dict) else {}


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _read(path: StorePath) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _token(path: StorePath) -> str | None:
    found = _read(path) or {}
    return found.get("token")


def _is_over(path: StorePath, seconds: float) -> bool:
    """Return whether a lease was not put again for so long, by the store's clock."""
    clock = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        put = path.stat().mtime_ns
        clock.write_bytes(b"")
        now = clock.stat().mtime_ns
    except FileNotFoundError:
        return True
    finally:
        clock.unlink(missing_ok=True)
    return put is not None and now is not None and now // _NS - put // _NS > seconds


def _this_process() -> dict[str, Any]:
    process = psutil.Process()
    return {"machine": _machine(), "pid": process.pid, "began": process.create_time()}


def _machine() -> str:
    """Return what tells this machine, and this container on it, from others; else nothing."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path
    return ""


def _is_dead_here(told: Mapping[str, Any]) -> bool:
    process = told.get("process")
    if not isinstance(process, dict) or not _machine() or process.get("machine") != _machine():
        return False
    try:
        return bool(psutil.Process(int(process["pid"])).create_time() != process["began"])
    except psutil.NoSuchProcess:
        return True
    except (KeyError, TypeError, ValueError, psutil.Error):
        return False
