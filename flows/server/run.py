"""Run a flow from a program, on a Prefect server that several flows may share."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from deepfake.compute.processes.stop import StopRequested, is_stopping
from deepfake.errors import ConfigError, DeepfakeError
from flows.server.temporary import temporary_server

__all__ = ["run_flow", "share_server"]

_SEND_SECONDS = 5.0
_ECHOES = ("Finished in state Failed", "Parameter validation failed")


@contextmanager
def share_server() -> Iterator[None]:
    """Keep one Prefect server for several flows, where each would start its own.

    Raises:
        WorkerError: It did not start.
    """
    with temporary_server() as wait:
        from prefect.context import SyncClientContext

        wait()
        with SyncClientContext.get_or_create():
            yield


def run_flow(
    name: str, parameters: Mapping[str, Any], *, on_start: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Run a flow in this process and return its summary.

    Args:
        name: Of the flow and of its module in `flows`.
        parameters: Of the flow.
        on_start: Called once the server answers, before the flow runs.

    Raises:
        ConfigError: The flow refuses a parameter; no run was made.
        StopRequested: Ctrl-C or SIGTERM; the run is Cancelled.
    """
    with temporary_server() as wait:
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        from prefect.exceptions import ParameterTypeError

        from flows.server.cancel import cancel_on_signals

        flow = cancel_on_signals(flow)
        if "--debug" not in sys.argv:
            for handler in logging.getLogger().handlers:
                handler.addFilter(_is_for_terminal)
        try:
            # Prefect itself checks them only once the run exists.
            flow.validate_parameters(dict(parameters))
            wait()
            on_start()
            summary: dict[str, Any] = flow(**parameters)
        except ParameterTypeError as error:
            raise ConfigError(" ".join(str(error).split())) from error
        except Exception as error:
            if is_stopping():
                raise StopRequested from error
            _send_logs()
            raise
    return summary


def _send_logs() -> None:
    """Send the server what was logged of a flow that failed: it ends in a moment."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=_SEND_SECONDS)


def _is_for_terminal(record: logging.LogRecord) -> bool:
    # Our own errors are printed once, in one line; Prefect keeps their tracebacks with the run.
    error = record.exc_info[1] if record.exc_info else None
    is_echo = record.name.startswith("prefect.") and record.getMessage().startswith(_ECHOES)
    # And of a run that is stopped, only that it is.
    return not (isinstance(error, DeepfakeError) or is_echo or is_stopping())
