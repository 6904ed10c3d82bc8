"""Environment variables that Prefect, MLflow and others read when they are first imported."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["configure_environment"]

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OPENVINO_TELEMETRY_DISABLED": "1",
}
_LEVEL = "PREFECT_LOGGING_LEVEL"
_LEVEL_OF_SERVED = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"
_THREADS = {
    # Threads that spin while they wait for one another take the core from the decoding processes:
    # on two shared cores a training step took three times its CPU time.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def configure_environment(data_root: Path) -> None:
    """Set where Prefect keeps its state, and switch telemetry off; what is set already stands.

    Args:
        data_root: The data root; Prefect's home becomes `<data-root>/.prefect`.
    """
    defaults = {
        **_QUIET,
        **_THREADS,
        "PREFECT_HOME": str((data_root / ".prefect").resolve()),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # The pages of a server that stays show what runs log. Nobody reads the log of one that
        # ends with the command, and keeping it would cost; warnings go to the terminal.
        _LEVEL_OF_SERVED if "PREFECT_API_URL" in os.environ else _LEVEL: "WARNING",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
