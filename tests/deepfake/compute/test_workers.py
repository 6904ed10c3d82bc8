"""Media workers: one file's accident is one file's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deepfake.compute.workers import (
    Failure,
    MediaWorkers,
    WorkerSetup,
    close_workers,
    shared_workers,
)
from deepfake.config import WorkerLimits
from deepfake.errors import WorkerError
from deepfake.types import Status
from tests.deepfake.compute import worker_jobs as jobs

_LIMITS = WorkerLimits(timeout_seconds=1.5, memory_bytes=400 * 2**20)


@pytest.fixture(scope="module")
def workers() -> Iterator[MediaWorkers]:
    with MediaWorkers(WorkerSetup(jobs.create, 100, _LIMITS, num_workers=2)) as pool:
        yield pool


def _map(pool: MediaWorkers, *items: tuple[str, Any]) -> list[Any]:
    return list(pool.map(jobs.work, list(items)))


def test_results_come_in_the_order_of_the_items(workers: MediaWorkers) -> None:
    items = [("slow", 0.4), *(("add", i) for i in range(20))]
    assert _map(workers, *items) == [0.4, *range(100, 120)]


def test_no_items_no_results(workers: MediaWorkers) -> None:
    assert _map(workers) == []


def test_the_set_up_is_made_once_a_worker(workers: MediaWorkers) -> None:
    assert len(set(_map(workers, *[("pid", None)] * 12))) <= 2


@pytest.mark.parametrize(
    ("kind", "error_type", "message"),
    [
        ("value", "ValueError", "unexpected error: first line"),
        ("silent", "RuntimeError", "unexpected error: no message"),
        ("odd", "OddError", "unexpected error: odd 3"),
        ("timeout", "TimeoutError", "unexpected error: the network was slow"),
        ("system_exit", "SystemExit", "unexpected error: 4"),
        ("interrupt", "KeyboardInterrupt", "unexpected error: no message"),
    ],
)
def test_an_exception_is_the_files_own(
    workers: MediaWorkers, kind: str, error_type: str, message: str
) -> None:
    first, failed, last = _map(workers, ("add", 1), (kind, None), ("add", 2))
    assert (first, last) == (101, 102)
    assert failed == Failure(Status.ERROR, error_type, message)


def test_memory_that_ran_out_has_its_own_status(workers: MediaWorkers) -> None:
    failed, after = _map(workers, ("memory_error", None), ("add", 0))
    assert (failed.status, failed.error_type, after) == (Status.OUT_OF_MEMORY, "MemoryError", 100)


def test_a_crash_costs_one_file(workers: MediaWorkers) -> None:
    items = [("add", 1), ("signal", jobs.SEGV), ("add", 2), ("exit", 3), ("add", 3)]
    first, segv, second, left, third = _map(workers, *items)
    assert [first, second, third] == [101, 102, 103]
    assert (segv.status, segv.error_type) == (Status.CRASHED, "SIGSEGV")
    assert (left.status, left.error_type) == (Status.CRASHED, "exit code 3")


def test_a_file_that_takes_too_long_is_stopped(workers: MediaWorkers) -> None:
    started = time.monotonic()
    slow, *others = _map(workers, ("slow", 60), *[("add", i) for i in range(5)])
    assert time.monotonic() - started < 20
    assert slow.status is Status.TIMEOUT
    assert "1.5 s" in slow.message
    assert others == [100, 101, 102, 103, 104]


def test_a_file_over_the_memory_limit_is_stopped() -> None:
    limits = WorkerLimits(timeout_seconds=60, memory_bytes=400 * 2**20)
    with MediaWorkers(WorkerSetup(jobs.create, 100, limits, num_workers=1)) as pool:
        big, after = _map(pool, ("memory", 600), ("add", 7))
    assert (big.status, big.error_type) == (Status.OUT_OF_MEMORY, "MemoryLimit")
    assert "400 MiB" in big.message
    assert after == 107


def test_a_file_that_takes_too_much_of_the_processor_is_stopped() -> None:
    """By the seconds that it itself took, not by the worker's whole life or by the clock."""
    limits = WorkerLimits(timeout_seconds=60, cpu_seconds=1.0)
    with MediaWorkers(WorkerSetup(jobs.create, 100, limits, num_workers=1)) as pool:
        fine = _map(pool, *[("spin", 0.6)] * 3, ("slow", 2.0))
        greedy, after = _map(pool, ("spin", 30), ("add", 7))
    assert fine == [0.6, 0.6, 0.6, 2.0]
    assert (greedy.status, greedy.error_type) == (Status.TIMEOUT, "CpuLimit")
    assert greedy.message == "needed more than 1 CPU seconds and was stopped"
    assert after == 107


def test_a_file_has_two_tries(workers: MediaWorkers, tmp_path: Path) -> None:
    """A worker may have died of what a file before had done to it, or of the machine's trouble."""
    once, always = tmp_path / "once", tmp_path / "always"
    first, second, third = _map(workers, ("dies_once", once), ("dies_always", always), ("add", 1))
    assert (first, third) == (100, 101)
    assert (second.status, second.error_type) == (Status.CRASHED, "SIGSEGV")
    assert second.message == "the process that read it died (SIGSEGV)"
    assert always.read_text() == "xx"


def test_a_file_does_not_pay_for_what_another_left_in_memory() -> None:
    limits = WorkerLimits(timeout_seconds=60, memory_bytes=400 * 2**20)
    with MediaWorkers(WorkerSetup(jobs.create, 100, limits, num_workers=1)) as pool:
        left, needs_some = _map(pool, ("leave", 220), ("memory", 200))
    assert (left, needs_some) == (220, 200 * 2**20)


def test_results_that_nobody_waits_for_are_not_worked_on() -> None:
    with MediaWorkers(WorkerSetup(jobs.create, 0, WorkerLimits(), num_workers=1)) as pool:
        results = pool.map(jobs.work, [("add", 1), *[("slow", 30)] * 3])
        assert next(results) == 1
        results.close()
        started = time.monotonic()
        assert list(pool.map(jobs.work, [("add", 2)])) == [2]
        assert time.monotonic() - started < 15


def test_closing_leaves_no_process_behind() -> None:
    with MediaWorkers(WorkerSetup(jobs.create, 0, WorkerLimits(), num_workers=2)) as pool:
        pids = set(pool.map(jobs.work, [("pid", None)] * 6))
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        ("create_never", "could not be set up .ValueError: broken is no good.$"),
        ("create_and_die", "were lost"),
    ],
)
def test_a_failed_set_up_is_nobodys_fault(function: str, match: str) -> None:
    """It must not become a row of each file, and not a pool that starts workers for ever."""
    setup = WorkerSetup(getattr(jobs, function), "broken", _LIMITS, num_workers=1)
    with MediaWorkers(setup) as pool, pytest.raises(WorkerError, match=match):
        list(pool.map(jobs.work, [("add", 1), ("add", 2)]))


def test_a_limit_under_what_a_worker_needs_is_reported_at_once() -> None:
    setup = WorkerSetup(jobs.create, 0, WorkerLimits(memory_bytes=2**20), num_workers=1)
    with MediaWorkers(setup) as pool, pytest.raises(WorkerError, match="before it reads any file"):
        list(pool.map(jobs.work, [("add", 1)]))


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0, 1.5])
def test_files_whose_turn_never_came_are_not_charged(seconds: float) -> None:
    """A run that is interrupted must neither wait for ever nor leave a part of failed files."""
    pool = MediaWorkers(WorkerSetup(jobs.create, 0, WorkerLimits(), num_workers=1))
    stopper = threading.Timer(seconds, pool.close)
    stopper.start()
    with pytest.raises(WorkerError, match="were stopped"):
        list(pool.map(jobs.work, [("slow", 30)] * 4))
    stopper.join()
    with pytest.raises(WorkerError, match="no more work"):
        list(pool.map(jobs.work, [("add", 1)]))


def test_workers_are_shared_until_closed() -> None:
    setup = WorkerSetup(jobs.create, 5, WorkerLimits(), num_workers=1)
    try:
        pool = shared_workers(setup)
        assert shared_workers(WorkerSetup(jobs.create, 5, WorkerLimits(), num_workers=1)) is pool
        assert list(pool.map(jobs.work, [("add", 1)])) == [6]
        pool.close()
        again = shared_workers(setup)
        assert again is not pool
        assert list(again.map(jobs.work, [("add", 2)])) == [7]
    finally:
        close_workers()


def test_the_limit_of_the_processor_is_for_the_file_and_not_for_a_step() -> None:
    limits = WorkerLimits(timeout_seconds=60, cpu_seconds=2.5)
    steps = [jobs.Step("a", 1.5)]
    with MediaWorkers(WorkerSetup(jobs.create, 100, limits, num_workers=1)) as pool:
        assert list(pool.map(jobs.spin_for, steps, is_last=False)) == [1.5]
        (second,) = pool.map(jobs.spin_for, steps)
        (another,) = pool.map(jobs.spin_for, [jobs.Step("b", 1.5)])
        # Scored again it begins anew.
        (again,) = pool.map(jobs.spin_for, steps)
    assert isinstance(second, Failure)
    assert second.error_type == "CpuLimit"
    assert (another, again) == (1.5, 1.5)
