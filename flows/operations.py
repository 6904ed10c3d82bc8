"""Set-up of Prefect on one machine, done before Prefect is imported."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepfake.errors import ConfigError, DeepfakeError

__all__ = [
    "check_prefect",
    "configure_environment",
    "describe_environment",
    "held_server",
    "prefect_ui_command",
    "run_flow",
]

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OPENVINO_TELEMETRY_DISABLED": "1",
}
_LEVEL = "PREFECT_LOGGING_LEVEL"
_LEVEL_OF_SERVED = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"
_ECHOES = ("Finished in state Failed", "Parameter validation failed")
_THREADS = {
    # Threads that spin while they wait for one another take the core from the decoding processes:
    # on two shared cores a training step took three times its CPU time.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def configure_environment(data_root: Path) -> None:
    """Say where Prefect keeps its state, and switch telemetry off; what is set already stands.

    Args:
        data_root: The data root; Prefect's home becomes `<data-root>/.prefect`.
    """
    defaults = {
        **_QUIET,
        **_THREADS,
        "PREFECT_HOME": str((data_root / ".prefect").resolve()),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # A server that stays shows on its pages what runs tell; of one that ends with the command
        # nobody reads it, and keeping it would cost. A terminal shows what is wrong.
        _LEVEL_OF_SERVED if "PREFECT_API_URL" in os.environ else _LEVEL: "WARNING",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def prefect_ui_command(data_root: Path) -> str:
    """Return the one command that opens Prefect's page on the runs under a data root."""
    home = os.environ.get("PREFECT_HOME", str((data_root / ".prefect").resolve()))
    command = shutil.which("prefect", path=str(Path(sys.executable).parent)) or "prefect"
    return f"PREFECT_HOME={home} PREFECT_SERVER_ANALYTICS_ENABLED=false {command} server start"


def describe_environment() -> str:
    """Return where Prefect and MLflow keep what they know, without credentials."""
    from deepfake.registry import masked, tracking_uri

    api = os.environ.get("PREFECT_API_URL")
    prefect = masked(api) if api else os.environ.get("PREFECT_HOME", "")
    return f"Prefect: {prefect}   MLflow: {masked(tracking_uri())}"


@contextmanager
def held_server() -> Iterator[None]:
    """Keep one Prefect server for several flows, where each would start its own."""
    from prefect.context import SyncClientContext

    with SyncClientContext.get_or_create():
        yield


def check_prefect() -> tuple[bool, str, str | None]:
    """Return whether Prefect's state is usable, where it is, and a hint where it is not."""
    from deepfake.registry import masked

    api = os.environ.get("PREFECT_API_URL")
    if api is None:
        home = Path(os.environ["PREFECT_HOME"])
        return True, f"started when needed, state in {home}", None
    import httpx

    try:
        httpx.get(f"{api.rstrip('/')}/health", timeout=5.0).raise_for_status()
    except httpx.HTTPError as error:
        hint = "Start it with `prefect server start`, or unset PREFECT_API_URL."
        return False, f"{masked(api)} does not answer ({type(error).__name__})", hint
    return True, f"{masked(api)} answers", None


def run_flow(flow: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run a flow in this process and return its summary.

    Raises:
        ConfigError: The flow refuses a parameter; no run was made.
    """
    from prefect.exceptions import ParameterTypeError

    if "--debug" not in sys.argv:
        for handler in logging.getLogger().handlers:
            handler.addFilter(_is_for_terminal)
    try:
        # Prefect itself looks only once the run exists.
        flow.validate_parameters(dict(options))
        summary: dict[str, Any] = flow(**options)
    except ParameterTypeError as error:
        raise ConfigError(" ".join(str(error).split())) from error
    return summary


def _is_for_terminal(record: logging.LogRecord) -> bool:
    # Errors of ours are printed once, in a line; Prefect keeps their tracebacks with the run.
    error = record.exc_info[1] if record.exc_info else None
    is_echo = record.name.startswith("prefect.") and record.getMessage().startswith(_ECHOES)
    return not (isinstance(error, DeepfakeError) or is_echo)
