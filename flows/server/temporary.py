"""A Prefect server for the time of a command, where no other one is named.

Prefect would start one too, in the terminal's process group: Ctrl-C would end it before it could
be told that the run was cancelled. And it would import all of the server into this process.

Prefect itself is not imported here: the server starts while whoever needs it imports Prefect.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deepfake.compute.processes.stop import is_stopping
from deepfake.errors import WorkerError
from deepfake.storage.environment import direct_opener, without_proxies
from flows.server.database import place_new_database

__all__ = [
    "answers",
    "is_server_named",
    "is_temporary",
    "last_log_line",
    "temporary_server",
]

_API = "PREFECT_API_URL"
_PROFILES = "PREFECT_PROFILES_PATH"
_START_SECONDS_NAME = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_STOP_SECONDS = 5.0
"""As long as Prefect waits for its own."""
_HURRY_SECONDS = 0.7
"""Where the user waits for the prompt."""

_is_running = False


def is_temporary() -> bool:
    """Return whether the server in use is this process's own, which no other process knows."""
    return _is_running


@contextmanager
def temporary_server() -> Iterator[Callable[[], None]]:
    """Have a Prefect server while the block runs: the one in use, or one that starts now.

    Yields:
        A function that waits until the server answers.

    Raises:
        WorkerError: By that function: the server did not start.
    """
    global _is_running
    if _is_running or is_server_named():
        yield _nothing
        return
    listener = socket.create_server(("127.0.0.1", 0))
    api = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
    log = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect")) / "temporary-server.log"
    process = _start(listener, log)
    os.environ[_API] = api
    _refresh()
    _is_running = True
    try:
        yield lambda: _wait(process, api, log)
    finally:
        _is_running = False
        del os.environ[_API]
        _stop(process)
        _refresh()


def _nothing() -> None:
    pass


def is_server_named() -> bool:
    """Return whether a server is named: in the environment, or in a profile that it names."""
    if _API in os.environ:
        return True
    if "prefect" not in sys.modules and not _may_name_server(os.environ.get(_PROFILES)):
        return False
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None


def _may_name_server(profiles: str | None) -> bool:
    """Return whether the active profile of a file names a server; True if that is not clear."""
    if profiles is None:
        return False
    try:
        content = tomllib.loads(Path(profiles).read_text(encoding="utf-8"))
        active = os.environ.get("PREFECT_PROFILE", content.get("active"))
        settings = content.get("profiles", {}).get(active, {})
        return any(name.upper() == _API for name in settings)
    except OSError:
        return False
    except (ValueError, TypeError, AttributeError):
        return True  # Prefect itself says what is wrong


def _start(listener: socket.socket, log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = place_new_database(log.parent)
    arguments = [str(listener.fileno()), *([] if kept is None else [str(kept)])]
    environment = {**without_proxies(os.environ), **_SETTINGS}
    with listener, log.open("wb") as output:
        return subprocess.Popen(
            # Nothing in the caller's working folder is imported or read as settings: strangers'
            # files may lie there.
            [sys.executable, "-P", str(_PROGRAM), *arguments],
            cwd=_PROGRAM,
            env=environment,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


_SETTINGS = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    # No flow saves a block, and describing all of them to a new database takes seconds.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    # Else pydantic reads what every installed package says of itself.
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}

_PROGRAM = Path(__file__).with_name("temporary_process")


def _wait(process: subprocess.Popen[bytes], api: str, log: Path) -> None:
    deadline = time.monotonic() + float(os.environ.get(_START_SECONDS_NAME, _START_SECONDS))
    while not answers(f"{api}/health"):
        if process.poll() is not None:
            raise _failure(f"ended with exit code {process.returncode}", log)
        if time.monotonic() > deadline:
            raise _failure("did not answer in time", log)
        time.sleep(_LOOK_SECONDS)


def answers(url: str) -> bool:
    """Return whether a server answers at a URL."""
    # Connections wait in the socket's queue until the server takes them.
    try:
        with direct_opener().open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _failure(what: str, log: Path) -> WorkerError:
    hint = last_log_line(log)
    return WorkerError(f"the temporary Prefect server {what}", path=log, hint=hint)


def last_log_line(log: Path) -> str | None:
    """Return a hint with the last line of a server's log; None where the log is empty."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"Last log line: {lines[-1].strip()}" if lines else None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_HURRY_SECONDS if is_stopping() else _STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()


def _refresh() -> None:
    """Let Prefect read the environment again, if it has done so before."""
    if "prefect.context" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()
