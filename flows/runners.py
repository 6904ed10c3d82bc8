"""Where the batches of a flow run."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from deepfake.errors import ConfigError
from flows.parameters import TaskRunnerName

__all__ = ["InFlight", "create_runner", "run_batches"]

_IN_FLIGHT = 2
"""Batches side by side on one machine: while the last files of one are worked on, the workers
already have the next one's. The work itself is spread over the media workers."""

_THREADS = 2 * _IN_FLIGHT
"""Two tasks of a flow may have batches out."""


def create_runner(name: TaskRunnerName, *, dask_address: str | None = None) -> TaskRunner[Any]:
    """Return a task runner.

    Args:
        name: `threads` for this machine, `dask` for a Dask cluster.
        dask_address: A running scheduler; None starts a cluster in this process.

    Raises:
        ConfigError: An address for a runner that takes none.
    """
    if name == "threads" and dask_address is not None:
        raise ConfigError(
            f"the Dask scheduler {dask_address} is named, but batches run in threads",
            hint="Add --task-runner dask, or leave --dask-address out.",
        )
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=_THREADS)
    from prefect_dask.task_runners import DaskTaskRunner

    if dask_address is not None:
        return DaskTaskRunner(address=dask_address)
    local = {
        "n_workers": 1,
        "threads_per_worker": _THREADS,
        "processes": False,
        "dashboard_address": None,
    }
    return DaskTaskRunner(cluster_kwargs=local)


def run_batches(
    task: Task[..., Any],
    calls: Iterable[dict[str, Any]],
    *,
    runner: TaskRunner[Any],
    is_refreshed: Callable[[dict[str, Any]], bool] = lambda _: True,
    on_result: Callable[[Any], None] = lambda _: None,
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
    """
    results = []
    with runner:
        futures: list[PrefectFuture[Any]] = [
            runner.submit(
                task.with_options(refresh_cache=True) if is_refreshed(call) else task,
                parameters=call,
            )
            for call in calls
        ]
        for future in as_completed(futures):
            results.append(future.result())
            on_result(results[-1])
    return results


class InFlight:
    """Batches handed out while others are still being found, and taken back as they end.

    Args:
        runner: Where they run; it has been started.
        limit: Of each task, so many are out at once.
    """

    def __init__(self, runner: TaskRunner[Any], *, limit: int = _IN_FLIGHT) -> None:
        self._runner = runner
        self._limit = limit
        self._out: dict[PrefectFuture[Any], tuple[str, Callable[[Any], None]]] = {}
        self._counts: Counter[str] = Counter()
        self._ended: queue.SimpleQueue[PrefectFuture[Any]] = queue.SimpleQueue()

    def has_room(self, task: Task[..., Any]) -> bool:
        """Return whether a batch of the task would start without another one ending first."""
        return self._counts[task.name] < self._limit

    def submit(
        self, task: Task[..., Any], call: dict[str, Any], *, on_result: Callable[[Any], None]
    ) -> None:
        """Hand out a batch, once there is room for it.

        It is run whatever Prefect's cache remembers: disks are the authority.

        Args:
            task: The task.
            call: Its parameters.
            on_result: Called in this thread with the result. It may submit more.
        """
        while not self.has_room(task):
            self._take(self._ended.get())
        future = self._runner.submit(task.with_options(refresh_cache=True), parameters=call)
        self._out[future] = (task.name, on_result)
        self._counts[task.name] += 1
        future.add_done_callback(self._ended.put)

    def take_ended(self) -> None:
        """Take back what has ended already."""
        while True:
            try:
                future = self._ended.get_nowait()
            except queue.Empty:
                return
            self._take(future)

    def wait(self) -> None:
        """Take back everything that is out, and what that hands out in turn."""
        while self._out:
            self._take(self._ended.get())

    def _take(self, future: PrefectFuture[Any]) -> None:
        name, on_result = self._out.pop(future)
        self._counts[name] -= 1
        on_result(future.result())
