"""Batches are handed out as there is room for them, and again where their worker was lost."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker
from prefect.tasks import Task

from deepfake.errors import ConfigError, DataError, WorkerError
from flows import runners
from flows.runners import run_batches

Outcome = Callable[[], Any]


def _lost() -> KilledWorker:
    return KilledWorker("score-1", SimpleNamespace(address="tcp://gone"), 3)


class _Future:
    """Has ended as soon as somebody wants to know."""

    def __init__(self, outcome: Outcome, runner: _Runner) -> None:
        self._outcome = outcome
        self._runner = runner

    def add_done_callback(self, callback: Callable[[_Future], None]) -> None:
        callback(self)

    def result(self) -> Any:
        self._runner.num_out -= 1
        return self._outcome()


class _Runner:
    """Hands back the outcomes that it is given, a batch each, then what the batches hold.

    With `threads` it stands for a cluster elsewhere.
    """

    def __init__(self, *outcomes: Outcome, threads: dict[str, int] | None = None) -> None:
        self.outcomes = list(outcomes)
        self.num_out = 0
        self.most = 0
        if threads is not None:
            self.address = "tcp://somewhere"
            self.client = SimpleNamespace(nthreads=lambda: threads)

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, _task: Any, *, parameters: dict[str, Any]) -> _Future:
        self.num_out += 1
        self.most = max(self.most, self.num_out)
        return _Future(self.outcomes.pop(0) if self.outcomes else lambda: parameters["i"], self)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    advanced: list[tuple[int, str]] = []
    monkeypatch.setattr(runners, "advance", lambda count, *, step: advanced.append((count, step)))
    return advanced


_TASK: Task[Any, Any] = Task(fn=lambda i: i, name="score")


def _run(runner: Any, count: int) -> list[Any]:
    calls = [{"i": i} for i in range(count)]
    return run_batches(_TASK, calls, runner=runner, count=lambda call: 10 + call["i"])


def test_two_batches_are_out_on_one_machine(moved: list[tuple[int, str]]) -> None:
    runner = _Runner()
    assert _run(runner, 7) == list(range(7))
    assert runner.most == 2
    assert moved == [], "threads move the bar themselves"


def test_a_cluster_gets_a_batch_a_thread_and_one_more_a_worker(
    moved: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_ASK_SECONDS", 0.0)
    threads = {"a": 2}
    runner = _Runner(threads=threads)
    _run(runner, 6)
    assert runner.most == 3
    threads["b"] = 4
    _run(runner, 20)
    assert runner.most == 8
    assert moved[:2] == [(10, "score"), (11, "score")], "nobody else can move the bar"


@pytest.mark.parametrize(
    "error", [_lost(), CommClosedError("gone"), FutureCancelledError("score-1", "gone")]
)
def test_a_batch_whose_worker_was_lost_is_handed_out_again(
    moved: list[tuple[int, str]], error: Exception
) -> None:
    runner = _Runner(_raising(error), threads={"a": 1})
    assert sorted(_run(runner, 3)) == [0, 1, 2]
    assert sum(count for count, _ in moved) == 33, "each is counted once"


def test_a_batch_that_kills_every_worker_ends_the_run(moved: list[tuple[int, str]]) -> None:
    runner = _Runner(*[_raising(_lost())] * 3, threads={"a": 1})
    with pytest.raises(WorkerError, match="every Dask worker that took one batch of 'score'"):
        _run(runner, 1)
    assert moved == []


def test_what_the_work_itself_raises_is_not_repeated(moved: list[tuple[int, str]]) -> None:
    runner = _Runner(_raising(DataError("no")), threads={"a": 1})
    with pytest.raises(DataError):
        _run(runner, 1)
    assert runner.outcomes == []
    assert moved == []


def _raising(error: Exception) -> Outcome:
    def raise_it() -> Any:
        raise error

    return raise_it


def test_an_address_of_a_cluster_without_dask_is_refused() -> None:
    with pytest.raises(ConfigError, match="batches run in threads"):
        runners.create_runner("threads", dask_address="tcp://127.0.0.1:8786")
