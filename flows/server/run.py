"""Run a flow from a program, on a Prefect server that several flows may share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from deepfake.errors import ConfigError, DeepfakeError

__all__ = ["held_server", "run_flow"]

_ECHOES = ("Finished in state Failed", "Parameter validation failed")


@contextmanager
def held_server() -> Iterator[None]:
    """Keep one Prefect server for several flows, where each would start its own."""
    from prefect.context import SyncClientContext

    with SyncClientContext.get_or_create():
        yield


def run_flow(flow: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Run a flow in this process and return its summary.

    Raises:
        ConfigError: The flow refuses a parameter; no run was made.
    """
    from prefect.exceptions import ParameterTypeError

    if "--debug" not in sys.argv:
        for handler in logging.getLogger().handlers:
            handler.addFilter(_is_for_terminal)
    try:
        # Prefect itself checks them only once the run exists.
        flow.validate_parameters(dict(parameters))
        summary: dict[str, Any] = flow(**parameters)
    except ParameterTypeError as error:
        raise ConfigError(" ".join(str(error).split())) from error
    return summary


def _is_for_terminal(record: logging.LogRecord) -> bool:
    # Our own errors are printed once, in one line; Prefect keeps their tracebacks with the run.
    error = record.exc_info[1] if record.exc_info else None
    is_echo = record.name.startswith("prefect.") and record.getMessage().startswith(_ECHOES)
    return not (isinstance(error, DeepfakeError) or is_echo)
