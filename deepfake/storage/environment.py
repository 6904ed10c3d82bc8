"""Environment variables that Prefect, MLflow and others read when they are first imported."""

from __future__ import annotations

import getpass
import os
import urllib.request
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

__all__ = ["configure_environment", "direct_opener", "user_name", "without_proxies"]

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

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def configure_environment(data_root: Path) -> None:
    """Set where Prefect keeps its state, and switch telemetry off; what is set already stands.

    Args:
        data_root: The data root; Prefect's home becomes `<data-root>/.prefect`. Only in a home
            that the environment names are profiles and settings of logging read.
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
    if "PREFECT_HOME" not in os.environ:
        # The data root may lie among strangers' files: no file in it sets Prefect up.
        defaults |= _packaged_settings()
    else:
        # Servers have a working folder of their own.
        home = Path(os.environ["PREFECT_HOME"]).expanduser().absolute()
        os.environ["PREFECT_HOME"] = str(home)
        defaults["PREFECT_PROFILES_PATH"] = str(home / "profiles.toml")
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    _leave_loopback_direct()


def user_name() -> str:
    """Return the name of the user who runs this process; the number of one without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as in containers
        return str(os.getuid())


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables without those that name a proxy."""
    return {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}


def direct_opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses of this machine, whatever proxy is named."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _packaged_settings() -> dict[str, str]:
    """Return the names of Prefect's own files of profiles and of logging."""
    found = find_spec("prefect")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    if not folders:
        return {}
    files = {"PREFECT_PROFILES_PATH": str(Path(folders[0], "settings", "profiles.toml"))}
    if "PREFECT_LOGGING_SETTINGS_PATH" not in os.environ:  # the former name
        files["PREFECT_LOGGING_CONFIG_PATH"] = str(Path(folders[0], "logging", "logging.yml"))
    return files


def _leave_loopback_direct() -> None:
    """Ask servers of this machine without a proxy."""
    given = os.environ.get("NO_PROXY", "") or os.environ.get("no_proxy", "")
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    value = ",".join([*hosts, *(host for host in _LOOPBACK if host not in hosts)])
    # Libraries differ in which of the two they read.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = value
