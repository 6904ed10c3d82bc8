"""Where the batches of a flow run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.parameters import TaskRunnerName

__all__ = ["create_runner", "run_batches"]

_IN_FLIGHT = 2
"""Batches side by side on one machine: while the last files of one are worked on, the workers
already have the next one's. The work itself is spread over the media workers."""


def create_runner(name: TaskRunnerName, *, dask_address: str | None = None) -> TaskRunner[Any]:
    """Return a task runner.

    Args:
        name: `threads` for this machine, `dask` for a Dask cluster.
        dask_address: A running scheduler; None starts a cluster in this process.
    """
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=_IN_FLIGHT)
    from prefect_dask.task_runners import DaskTaskRunner

    if dask_address is not None:
        return DaskTaskRunner(address=dask_address)
    local = {
        "n_workers": 1,
        "threads_per_worker": _IN_FLIGHT,
        "processes": False,
        "dashboard_address": None,
    }
    return DaskTaskRunner(cluster_kwargs=local)


def run_batches(
    task: Task[..., Any],
    calls: Iterable[dict[str, Any]],
    *,
    runner: TaskRunner[Any],
    is_cached: Callable[[dict[str, Any]], bool],
    on_done: Callable[[], None] = lambda: None,
) -> list[Any]:
    """Run a task for each batch and return the results, in no particular order.

    A batch whose part is on disk may be answered from Prefect's cache. One whose part is gone is
    run again whatever the cache remembers: disks are the authority, the cache an optimisation.

    Args:
        task: The task.
        calls: Its parameters, one dictionary a batch.
        runner: Where.
        is_cached: Whether a call's result is on disk.
        on_done: Called after each.
    """
    with runner:
        futures: list[PrefectFuture[Any]] = [
            runner.submit(
                task if is_cached(call) else task.with_options(refresh_cache=True),
                parameters=call,
            )
            for call in calls
        ]
        results = []
        for future in as_completed(futures):
            results.append(future.result())
            on_done()
        return results
