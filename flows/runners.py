"""Run the batches of a flow, in threads or on a Dask cluster."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from prefect.futures import PrefectFuture
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from deepfake.compute.cluster import check_dask_address
from deepfake.config.options.fields import TaskRunnerName
from deepfake.errors import ConfigError, WorkerError
from flows.server.temporary import is_temporary
from tasks.progress import advance
from tasks.settings import is_lost_worker

__all__ = ["FinishedBatch", "InFlight", "create_runner", "run_batches"]

_IN_FLIGHT = 2
"""Batches side by side on one machine: while the last files of one are worked on, the workers
already have the next one's. The work itself is spread over the media workers."""

_THREADS = 2 * _IN_FLIGHT
"""Two tasks of a flow may have batches out."""

_TRIES = 3
"""Of a batch whose Dask workers die. Dask itself gives it to another worker three times first."""

_ASK_SECONDS = 5.0
"""How often the scheduler is asked how many workers there are."""


def create_runner(name: TaskRunnerName, *, dask_address: str | None = None) -> TaskRunner[Any]:
    """Return a task runner.

    Args:
        name: `threads` for this machine, `dask` for a Dask cluster.
        dask_address: A running scheduler; None starts a cluster in this process.

    Raises:
        ConfigError: An address for a runner that takes none, or a cluster whose workers would not
            know which Prefect server to report to.
    """
    check_dask_address(dask_address, task_runner=name)
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=_THREADS)
    from prefect_dask.task_runners import DaskTaskRunner

    if dask_address is not None:
        _check_server()
        return DaskTaskRunner(address=dask_address)
    local = {
        "n_workers": 1,
        "threads_per_worker": _THREADS,
        "processes": False,
        "dashboard_address": None,
    }
    return DaskTaskRunner(cluster_kwargs=local)


def _check_server() -> None:
    if is_temporary() or not PREFECT_API_URL.value():
        # Each worker would start a server of its own, and this one would know nothing of the runs.
        raise ConfigError(
            "the workers of a Dask cluster report to a Prefect server, and none is named",
            hint="Run `prefect server start` where they can reach it, and set PREFECT_API_URL.",
        )


def run_batches(
    task: Task[..., Any],
    calls: Iterable[dict[str, Any]],
    *,
    runner: TaskRunner[Any],
    is_refreshed: Callable[[dict[str, Any]], bool] = lambda _: True,
    on_result: Callable[[Any], None] = lambda _: None,
    count: Callable[[dict[str, Any]], int] = lambda _: 0,
) -> list[Any]:
    """Run a task for each batch and return the results, in no particular order.

    By default each is run whatever Prefect's cache remembers: the calls are those whose part is
    not on disk, and disks are the authority.

    Args:
        task: The task.
        calls: Its parameters, one dictionary a batch.
        runner: Where.
        is_refreshed: Whether a call is run although Prefect remembers its result.
        on_result: Called in this thread with each result as it comes.
        count: How many files a call holds, for the bar.
    """
    results: list[Any] = []
    with runner:
        for result in InFlight(runner).run(task, calls, is_refreshed=is_refreshed, count=count):
            results.append(result)
            on_result(result)
    return results


@dataclass(frozen=True)
class _Batch:
    """A batch that is running.

    Attributes:
        task: What is run.
        call: With which parameters.
        item: Of whoever submitted it.
        count: Files in it.
        tries: How often it was submitted.
    """

    task: Task[..., Any]
    call: dict[str, Any]
    item: Any
    count: int
    tries: int = 1


@dataclass(frozen=True, slots=True)
class FinishedBatch:
    """A batch that has ended.

    Attributes:
        item: What was submitted with it.
        result: What its task returned.
    """

    item: Any
    result: Any


class InFlight:
    """Batches that run while others are still being gathered.

    A batch whose Dask worker was lost is started again.

    Args:
        runner: Where they run; it has been started.
    """

    def __init__(self, runner: TaskRunner[Any]) -> None:
        self._runner = runner
        self._cluster = _Cluster(runner) if _is_elsewhere(runner) else None
        self._running: dict[PrefectFuture[Any], _Batch] = {}
        self._counts: Counter[str] = Counter()
        self._ended: queue.SimpleQueue[PrefectFuture[Any]] = queue.SimpleQueue()

    @property
    def limit(self) -> int:
        """How many batches of each task run at once."""
        return _IN_FLIGHT if self._cluster is None else self._cluster.room

    def has_room(self, task: Task[..., Any]) -> bool:
        """Return whether a batch of the task would start without another one ending first."""
        return self._counts[task.name] < self.limit

    def submit(
        self,
        task: Task[..., Any],
        call: dict[str, Any],
        *,
        item: Any = None,
        is_refreshed: bool = True,
        count: int = 0,
    ) -> None:
        """Start a batch; does not wait, neither for room nor for its end.

        Args:
            task: The task.
            call: Its parameters.
            item: Comes back with the result.
            is_refreshed: Whether it is run whatever Prefect's cache remembers: disks are the
                authority.
            count: Files in it. Where batches run in other processes, which cannot move the bar of
                the step that is named like the task, it is moved when they come back.
        """
        chosen = task.with_options(refresh_cache=True) if is_refreshed else task
        self._start(_Batch(chosen, call, item, count))

    def take_finished(self) -> Iterator[FinishedBatch]:
        """Yield what has ended already."""
        while True:
            try:
                future = self._ended.get_nowait()
            except queue.Empty:
                return
            done = self._take(future)
            if done is not None:
                yield done

    def wait_for_next(self) -> FinishedBatch | None:
        """Return the next batch that ends; None where nothing is running."""
        while self._running:
            done = self._take(self._ended.get())
            if done is not None:
                return done
        return None

    def run(
        self,
        task: Task[..., Any],
        calls: Iterable[dict[str, Any]],
        *,
        is_refreshed: Callable[[dict[str, Any]], bool] = lambda _: True,
        count: Callable[[dict[str, Any]], int] = lambda _: 0,
    ) -> Iterator[Any]:
        """Yield the result of each call as it comes; arguments are those of `run_batches`."""
        for call in calls:
            while not self.has_room(task) and (done := self.wait_for_next()) is not None:
                yield done.result
            self.submit(task, call, is_refreshed=is_refreshed(call), count=count(call))
        while (done := self.wait_for_next()) is not None:
            yield done.result

    def _start(self, batch: _Batch) -> None:
        future = self._runner.submit(batch.task, parameters=batch.call)
        self._running[future] = batch
        self._counts[batch.task.name] += 1
        future.add_done_callback(self._ended.put)

    def _take(self, future: PrefectFuture[Any]) -> FinishedBatch | None:
        """Return what a batch came to; None where it had to be started again."""
        batch = self._running.pop(future)
        self._counts[batch.task.name] -= 1
        try:
            result = future.result()
        except Exception as error:
            if not is_lost_worker(error):
                raise
            self._start_again(batch, error)
            return None
        if self._cluster is not None:
            advance(batch.count, step=batch.task.name)
        return FinishedBatch(batch.item, result)

    def _start_again(self, batch: _Batch, error: Exception) -> None:
        if batch.tries == _TRIES:
            raise WorkerError(
                f"every Dask worker that took one batch of {batch.task.name!r} was lost ({error})",
                hint="Look into the workers' logs. What was finished is kept: run again.",
            ) from error
        get_logger(__name__).warning("a batch is started again: %s", error)
        self._start(replace(batch, tries=batch.tries + 1))


def _is_elsewhere(runner: TaskRunner[Any]) -> bool:
    """Return whether batches run in processes that are not this one."""
    return getattr(runner, "address", None) is not None


class _Cluster:
    """How many batches a Dask cluster takes: it grows and shrinks while a flow runs."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._room = _IN_FLIGHT
        self._asked = float("-inf")
        if not self._threads():
            get_logger(__name__).warning("no worker has joined %s yet", runner.address)

    @property
    def room(self) -> int:
        """One batch a thread of each worker, and one more a worker, so that none has to wait."""
        now = time.monotonic()
        if now - self._asked >= _ASK_SECONDS:
            threads = self._threads()
            self._room = max(_IN_FLIGHT, sum(threads.values()) + len(threads))
            self._asked = now
        return self._room

    def _threads(self) -> dict[str, int]:
        try:
            return dict(self._runner.client.nthreads())
        except (OSError, TypeError) as error:  # the latter where it has no certificate to show
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise WorkerError(
                f"the Dask scheduler {self._runner.address} does not answer ({reason})",
                hint="What was finished is kept: run again once it does.",
            ) from error
