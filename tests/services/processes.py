"""Start servers as processes on loopback, and stop them with all their children."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.command_line import product_environment

__all__ = ["Server", "free_port", "prefect_server", "running", "stop", "tail_of", "wait_until"]

_START_SECONDS = 600.0


@dataclass(frozen=True)
class Server:
    """A Prefect server of the test's own.

    Attributes:
        environment: Of every process that shall report to it.
        logs: What the processes write.
    """

    environment: dict[str, str]
    logs: Path


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path,
    user: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background; it and all its children are stopped.

    Args:
        command: What.
        log: Where its output goes.
        environment: Its variables.
        cwd: Where.
        user: Whose rights it has; None for this process's.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env={**environment, "PWD": str(cwd)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            user=user,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever it started."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)
    _, alive = psutil.wait_procs(children, timeout=5)
    for child in alive:
        child.kill()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Wait, and fail if it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.2)


def tail_of(logs: Path) -> str:
    """Return the end of what the processes wrote."""
    return "\n".join(
        f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}"
        for path in sorted(logs.iterdir())
    )


@contextmanager
def prefect_server(folder: Path, **more: str) -> Iterator[Server]:
    """Run a Prefect server with its state below a folder.

    Args:
        folder: Home and logs go there.
        more: Further variables of its environment, and of all that report to it.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = product_environment(
        PREFECT_HOME=str(folder / "home"),
        PREFECT_API_URL=url,
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        **more,
    )
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    log = logs / "server.log"
    with running(command, log=log, environment=environment, cwd=folder) as server:
        _wait_until_healthy(url, server, logs)
        yield Server(environment, logs)


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"the server did not start\n{tail_of(logs)}")
