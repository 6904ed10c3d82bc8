"""Where the batches of a flow run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from deepfake.errors import ConfigError
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

    Raises:
        ConfigError: An address for a runner that takes none.
    """
    if name == "threads" and dask_address is not None:
        raise ConfigError(
            f"the Dask scheduler {dask_address} is named, but batches run in threads",
            hint="Add --task-runner dask, or leave --dask-address out.",
        )
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
    is_refreshed: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> list[Any]:
    """Run a task for each batch and return the results, in no particular order.

    By default each is run whatever Prefect's cache remembers: the calls are those whose part is
    not on disk, and disks are the authority.

    Args:
        task: The task.
        calls: Its parameters, one dictionary a batch.
        runner: Where.
        is_refreshed: Whether a call is run although Prefect remembers its result.
    """
    with runner:
        futures: list[PrefectFuture[Any]] = [
            runner.submit(
                task.with_options(refresh_cache=True) if is_refreshed(call) else task,
                parameters=call,
            )
            for call in calls
        ]
        return [future.result() for future in as_completed(futures)]
