"""Set-up of Prefect on one machine, done before Prefect is imported."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["configure_environment", "describe_environment", "prefect_ui_command"]

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OPENVINO_TELEMETRY_DISABLED": "1",
}


def configure_environment(data_root: Path) -> None:
    """Say where Prefect keeps its state, and switch telemetry off; what is set already stands.

    Args:
        data_root: The data root; Prefect's home becomes `<data-root>/.prefect`.
    """
    defaults = {
        **_QUIET,
        "PREFECT_HOME": str((data_root / ".prefect").resolve()),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def prefect_ui_command(data_root: Path) -> str:
    """Return the one command that opens Prefect's page on the runs under a data root."""
    home = os.environ.get("PREFECT_HOME", str((data_root / ".prefect").resolve()))
    return f"PREFECT_HOME={home} prefect server start"


def describe_environment() -> str:
    """Return where Prefect and MLflow keep what they know, without credentials."""
    from deepfake.tracking import masked, tracking_uri

    api = os.environ.get("PREFECT_API_URL")
    prefect = masked(api) if api else os.environ.get("PREFECT_HOME", "")
    return f"Prefect: {prefect}   MLflow: {masked(tracking_uri())}"
