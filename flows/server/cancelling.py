"""Mark runs as Cancelled that Ctrl-C or SIGTERM stops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Cancelled

from deepfake.compute.processes.stopping import handle_signals_again, is_stopping, when_late

__all__ = ["ends_cancelled"]

Result = TypeVar("Result")

_MESSAGE = "Stopped by Ctrl-C or SIGTERM."


def ends_cancelled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Let a flow that its command was told to stop end as Cancelled, not as Crashed or Failed.

    Runs of deployments are not concerned: signals to them are the worker's way to end them.

    Args:
        function: What the flow does; `@flow` stands above.
    """

    @functools.wraps(function)
    def run(*args: Any, **named: Any) -> Result:
        # Prefect's own handler makes a crash of SIGTERM.
        handle_signals_again()
        with when_late(functools.partial(_cancel, UUID(str(flow_run.id)))):
            try:
                return function(*args, **named)
            except BaseException:
                if not is_stopping():
                    raise
                # Prefect takes a state that a flow returns as its end.
                return cast(Result, Cancelled(message=_MESSAGE))

    return run


def _cancel(run_id: UUID) -> None:
    """Mark a run as Cancelled from outside: its own thread does not come back."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Cancelled(message=_MESSAGE), force=True)
