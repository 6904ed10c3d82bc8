"""Mark runs as Cancelled that Ctrl-C or SIGTERM stops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar, cast
from uuid import UUID

import prefect.flow_engine
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as this_run
from prefect.states import Cancelled

from deepfake.compute.processes.stop import call_before_forced_exit, is_stopping

__all__ = ["cancel_on_signals", "cancel_when_stopped"]

Result = TypeVar("Result")

_MESSAGE = "Stopped by Ctrl-C or SIGTERM."


def cancel_when_stopped(function: Callable[..., Result]) -> Callable[..., Result]:
    """Let a flow that its command was told to stop end as Cancelled, not as Crashed or Failed.

    Runs of deployments are not concerned: signals to them are the worker's way to end them.

    Args:
        function: What the flow does; `@flow` stands above.
    """

    @functools.wraps(function)
    def run(*args: Any, **named: Any) -> Result:
        with call_before_forced_exit(functools.partial(_cancel, UUID(str(this_run.id)))):
            try:
                return function(*args, **named)
            except BaseException:
                if not is_stopping():
                    raise
                # Prefect takes a state that a flow returns as its end.
                return cast(Result, Cancelled(message=_MESSAGE))

    return run


def cancel_on_signals(flow: Flow[..., Result]) -> Flow[..., Result]:
    """Return a flow whose run by this process is Cancelled also if it is stopped as it begins.

    Prefect's engine handles SIGTERM itself, as a crash; here the command's own handler is kept.
    Where that one is called before what `cancel_when_stopped` wraps has begun, the engine sees a
    crash too.

    Args:
        flow: Its function is wrapped by `cancel_when_stopped`.
    """
    setattr(prefect.flow_engine, "capture_sigterm", nullcontext)  # noqa: B010 - not exported
    return flow.with_options(on_crashed=[_cancel_if_stopping])


def _cancel_if_stopping(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    if is_stopping():
        _cancel(flow_run.id)


def _cancel(run_id: UUID) -> None:
    """Mark a run as Cancelled from outside: its own thread does not come back."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Cancelled(message=_MESSAGE), force=True)
