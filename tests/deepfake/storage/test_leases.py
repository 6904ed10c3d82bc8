"""Leases: one run at a time in a folder of a store, and leases that expire."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from deepfake.storage import Lease, StorePath, lease_owner, take_lease
from deepfake.storage import leases as module

_OWNER = {"pid": 1, "user": "me"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLE_SECONDS", 0.0)


def _taken(path: StorePath, *, seconds: float = 60.0) -> Lease:
    lease = take_lease(path, _OWNER, seconds=seconds)
    assert lease is not None
    return lease


def test_a_lease_is_taken_once_and_given_up(bucket: StorePath) -> None:
    path = bucket / ".lease.json"
    assert lease_owner(path) is None
    lease = _taken(path)
    assert take_lease(path, {"user": "you"}) is None
    assert lease_owner(path) == _OWNER
    assert lease.is_ours
    lease.release()
    assert list(bucket.iter_objects()) == []
    _taken(path).release()


def test_a_lease_is_renewed_while_its_owner_lives(bucket: StorePath) -> None:
    path = bucket / ".lease.json"
    lease = _taken(path, seconds=1.0)
    before = path.stat()
    time.sleep(1.5)
    assert lease.is_ours
    assert path.stat() != before
    lease.release()


def test_a_lease_of_another_machine_is_over_after_a_while(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bucket / ".lease.json"
    _abandon(path, {"machine": "another", "pid": 1, "began": 0})
    assert take_lease(path, {"user": "you"}) is None
    assert lease_owner(path) == _OWNER
    # By the store's clock, in whole seconds.
    monkeypatch.setattr(module, "_NS", 10**6)
    time.sleep(0.2)
    assert lease_owner(path, seconds=0.05) is None
    lease = take_lease(path, {"user": "you"}, seconds=0.05)
    assert lease is not None
    lease.release()
    assert list(bucket.iter_objects()) == [], "nothing is left of the looks at the clock"


def test_a_lease_of_a_process_of_this_machine_that_is_gone_is_over_at_once(
    bucket: StorePath,
) -> None:
    path = bucket / ".lease.json"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = psutil.Process(child.pid).create_time()
    process = {"machine": module._machine(), "pid": child.pid, "began": began}
    _abandon(path, process)
    assert take_lease(path, {"user": "you"}) is None
    child.communicate(b"\n")
    lease = take_lease(path, {"user": "you"})
    assert lease is not None
    lease.release()


def test_a_number_that_was_given_out_again_is_another_process(bucket: StorePath) -> None:
    path = bucket / ".lease.json"
    _abandon(path, {**module._this_process(), "began": 1.0})
    _taken(path).release()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"process": 7}', b"\xff"])
def test_a_damaged_lease_counts_until_it_is_over(bucket: StorePath, content: bytes) -> None:
    path = bucket / ".lease.json"
    path.write_bytes(content)
    assert take_lease(path, _OWNER) is None
    assert lease_owner(path) == {}


def test_who_finds_another_in_its_place_has_lost(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bucket / ".lease.json"
    _abandon(path, {**module._this_process(), "began": 1.0})

    def overtaken(_: float) -> None:
        _abandon(path, {"machine": "another"})

    monkeypatch.setattr(module.time, "sleep", overtaken)
    assert take_lease(path, _OWNER) is None


def test_a_lease_that_was_taken_by_another_is_lost(bucket: StorePath) -> None:
    path = bucket / ".lease.json"
    lease = _taken(path, seconds=0.4)
    _abandon(path, {"machine": "another"})
    time.sleep(0.6)
    assert not lease.is_ours
    lease.release()
    assert path.is_file(), "the other's stays"


def _abandon(path: StorePath, process: dict[str, Any]) -> None:
    content = {"token": "other", "owner": _OWNER, "process": process}
    path.write_bytes(json.dumps(content).encode())


def test_this_machine_has_a_name() -> None:
    assert Path("/proc/self/ns/pid").is_symlink()
    assert module._machine()
