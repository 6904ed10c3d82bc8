"""Settings of all tasks: results, retries, cache keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff
from prefect.utilities.annotations import quote

from deepfake.compute.processes.stop import is_stopping
from deepfake.errors import DeepfakeError, StoreError, TrackingError, WorkerError

__all__ = [
    "RESULTS",
    "RETRIES",
    "cached_by",
    "hide_from_prefect",
    "is_lost_worker",
    "is_worth_retrying",
    "pack_records",
    "unpack_records",
]

T = TypeVar("T")

_LOST = frozenset({"KilledWorker", "CommClosedError", "FutureCancelledError"})
"""What Dask says where a worker, or the way to it, is gone."""


def is_worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a failure may be gone at the next try.

    Trouble of disks, networks, object stores, tracking servers and worker processes may; whatever
    else this project says on purpose will be said again.
    """
    if is_stopping():
        return False
    error = state.result(raise_on_failure=False)
    if isinstance(error, (StoreError, TrackingError, WorkerError)) or is_lost_worker(error):
        return True
    return isinstance(error, (OSError, EOFError)) and not isinstance(error, DeepfakeError)


def is_lost_worker(error: object) -> bool:
    """Return whether an error tells of a lost Dask worker, not of the work."""
    # By name: Dask is not imported where there is no cluster.
    return any(
        kind.__name__ in _LOST and kind.__module__.startswith("distributed.")
        for kind in type(error).__mro__
    )


RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_retrying,
}

RESULTS: dict[str, Any] = {
    "persist_result": True,
    "result_serializer": "json",
    # Prefect would hold the last thousand: half a gigabyte of what flows have taken and noted.
    "cache_result_in_memory": False,
}


def pack_records(records: Sequence[dict[str, Any]]) -> str:
    """Return the records of a batch as one text.

    Prefect looks into every value of every collection that a task is given, several times: for a
    batch of files that costs more than all the rest of a task run.
    """
    return json.dumps(records)


def unpack_records(text: str) -> list[dict[str, Any]]:
    """Return the records of `pack_records`."""
    records: list[dict[str, Any]] = json.loads(text)
    return records


def hide_from_prefect(value: T) -> T:
    """Return a value that Prefect hands to a task of this process without looking into it."""
    return cast(T, quote(value))


def cached_by(key: Callable[[dict[str, Any]], str]) -> CacheKeyFnPolicy:
    """Return a cache policy whose key is made of the content of a task's parameters.

    Args:
        key: Gets the parameters, returns the key: digests of content and settings and a step
            version, never a path alone.
    """

    def of_context(_: TaskRunContext, parameters: dict[str, Any]) -> str:
        return key(parameters)

    return CacheKeyFnPolicy(cache_key_fn=of_context)
