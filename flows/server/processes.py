"""Prefect's server, a worker and MLflow's page on one machine, stopped together.

Prefect itself is not imported here: the process that watches the others has to stay small.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deepfake.compute.processes.stop import StopRequested, is_stopping
from deepfake.errors import ConfigError, WorkerError
from deepfake.registry import absolute_uri, make_store, mask_credentials, tracking_uri
from deepfake.storage import DataRoot, location_of
from deepfake.storage.environment import configure_environment, direct_opener
from flows.server.temporary import answers, last_log_line

__all__ = ["serve"]

_HOST = "127.0.0.1"
_POOL = "local"
_START_SECONDS = 600.0
_STOP_SECONDS = 20.0
_HURRY_SECONDS = 1.0
"""Where the user waits for the prompt."""
_LOOK_SECONDS = 0.5
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
"""Linux: prctl(2)."""

_RUNS_AT_WORK = {
    "flow_runs": {
        "state": {"type": {"any_": ["RUNNING", "PENDING"]}},
        "deployment_id": {"is_null_": False},
    }
}
_CANCELLED = {
    "state": {"type": "CANCELLED", "name": "Cancelled", "message": "`deepfake up` was stopped."},
    "force": True,
}


def serve(
    *,
    data_root: str,
    file: Path | None,
    port: int,
    mlflow_port: int,
    print_line: Callable[[str], object],
) -> None:
    """Run the servers, set Prefect up, and wait until a signal or the death of one of them.

    Whatever ends it, all of them are stopped.

    Args:
        data_root: What the deployments work on; Prefect's home and all logs go below it, or below
            `data` where it is a store.
        file: The `prefect.yaml`; None for the one that comes with the package.
        port: Of Prefect's server; 0 for a free one.
        mlflow_port: Of MLflow's page; 0 for a free one.
        print_line: Prints a line.

    Raises:
        ConfigError: A server is in use already, or a port is taken.
        WorkerError: One of them did not start, or died.
        StopRequested: By a signal.
    """
    if api := os.environ.get("PREFECT_API_URL"):
        raise ConfigError(
            f"PREFECT_API_URL names a server already, {mask_credentials(api)}",
            hint="Run `deepfake setup` against it, or unset PREFECT_API_URL.",
        )
    here = DataRoot(location_of(data_root)).make_here()
    level = os.environ.get("PREFECT_LOGGING_LEVEL", "INFO")
    configure_environment(here)
    address = f"http://{_HOST}:{_resolve_port(port)}"
    environment = {
        **os.environ,
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_LOGGING_LEVEL": level,
        "MLFLOW_TRACKING_URI": absolute_uri(tracking_uri(here)),
        # None of them imports what lies in the folder where it was started.
        "PYTHONSAFEPATH": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Who held a place under a limit is known after a restart too.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }
    with (
        tempfile.TemporaryDirectory(prefix="deepfake-up-") as folder,
        _Servers((here / "logs").absolute(), environment, Path(folder)) as servers,
    ):
        try:
            _start(
                servers,
                address,
                file=file,
                data_root=data_root,
                mlflow_port=mlflow_port,
                print_line=print_line,
            )
            print_line("Ctrl-C stops all of them.")
            servers.watch()
        except StopRequested:
            print_line("stopping")
            servers.cancel_runs(f"{address}/api")
            raise


def _start(
    servers: _Servers,
    address: str,
    *,
    file: Path | None,
    data_root: str,
    mlflow_port: int,
    print_line: Callable[[str], object],
) -> None:
    server = ["prefect", "server", "start", "--host", _HOST, "--port", address.rpartition(":")[2]]
    servers.start("Prefect server", server)
    servers.wait_for("Prefect server", lambda: answers(f"{address}/api/health"))
    print_line(f"Prefect: {address}   API: {address}/api")
    named = [] if file is None else ["--file", str(file.absolute())]
    servers.call(["deepfake", "setup", *named, "--data-root", data_root])
    servers.start("worker", ["prefect", "worker", "start", "--pool", _POOL, "--type", "process"])
    servers.wait_for("worker", lambda: _is_online(f"{address}/api"))
    print_line(f"worker: of the pool {_POOL}")
    uri = servers.environment["MLFLOW_TRACKING_URI"]
    if uri.startswith(("http://", "https://")):
        print_line(f"MLflow: {mask_credentials(uri)} (MLFLOW_TRACKING_URI)")
        return
    make_store(uri)
    page = f"http://{_HOST}:{_resolve_port(mlflow_port)}"
    # By its environment: a command line is seen by everybody, and a URI may have a password.
    servers.start(
        "MLflow",
        ["mlflow", "server", "--workers", "1", "--host", _HOST, "--port", page.rpartition(":")[2]],
        MLFLOW_BACKEND_STORE_URI=uri,
    )
    servers.wait_for("MLflow", lambda: answers(f"{page}/health"))
    print_line(f"MLflow: {page}")
    print_line(f"logs: {servers.logs}")


@dataclass
class _Servers:
    """Processes that are stopped with all that they started.

    Attributes:
        logs: Folder of what they write.
        environment: Of all of them.
        folder: Working folder of those that go on: an empty one, since some read settings there.
    """

    logs: Path
    environment: Mapping[str, str]
    folder: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> _Servers:
        self.logs.mkdir(parents=True, exist_ok=True)
        # Whatever a child leaves behind becomes a child of this process.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        return self

    def __exit__(self, *_: object) -> None:
        # The worker's runs first, so that it can still tell the server how they ended.
        if worker := self._running.get("worker"):
            _end(_children_of(worker.pid), seconds=_seconds_to_stop())
        alive = [psutil.Process(p.pid) for p in self._running.values() if p.poll() is None]
        _end(alive, seconds=_seconds_to_stop())
        _end(_children_of(os.getpid()), seconds=_seconds_to_stop())

    def cancel_runs(self, api: str) -> None:
        """End the worker's runs, and mark them as Cancelled: a person wants them to stop."""
        worker = self._running.get("worker")
        if worker is None:
            return
        found = _ask(f"{api}/flow_runs/filter", _RUNS_AT_WORK) or []
        _end(_children_of(worker.pid), seconds=_seconds_to_stop())
        for run in found:
            _ask(f"{api}/flow_runs/{run['id']}/set_state", _CANCELLED)

    def start(self, name: str, command: Sequence[str], **more: str) -> None:
        """Start a module of Python as a process of its own."""
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", *command],
                cwd=self.folder,
                env={**self.environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this process alone, which stops the others in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def call(self, command: Sequence[str]) -> None:
        """Run a module of Python to its end; what it prints is printed.

        Raises:
            WorkerError: It failed, or one of the servers died meanwhile.
        """
        called = subprocess.Popen(
            [sys.executable, "-P", "-m", *command],
            env=dict(self.environment),
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        while called.poll() is None:
            self._look(called.pid)
        if called.returncode != 0:
            raise WorkerError(f"`{' '.join(command[:2])}` failed; all servers are stopped")

    def wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Wait until a server answers.

        Raises:
            WorkerError: It died, or did not answer in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            self._look()
            if time.monotonic() > deadline:
                raise self._failure(name, f"did not answer within {_START_SECONDS:.0f} s")

    def watch(self) -> None:
        """Wait until one dies.

        Raises:
            WorkerError: It did.
        """
        while True:
            self._look()

    def _look(self, *others: int) -> None:
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                raise self._failure(name, f"ended with exit code {code}")
        _reap({*others, *(process.pid for process in self._running.values())})
        time.sleep(_LOOK_SECONDS)

    def _failure(self, name: str, what: str) -> WorkerError:
        return WorkerError(
            f"{name} {what}; the others are stopped",
            path=self._log(name),
            hint=last_log_line(self._log(name)),
        )

    def _log(self, name: str) -> Path:
        return self.logs / f"{name.lower().replace(' ', '-')}.log"


def _resolve_port(port: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be used ({error.strerror})",
                hint="Name another one, or 0 for any that is free.",
            ) from error
        return int(listener.getsockname()[1])


def _is_online(api: str) -> bool:
    workers = _ask(f"{api}/work_pools/{_POOL}/workers/filter", {}) or []
    return any(worker["status"] == "ONLINE" for worker in workers)


def _ask(url: str, body: Mapping[str, Any]) -> Any:
    """Return what the server answers; None where it does not."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    try:
        with direct_opener().open(request, timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    # Also where this process is killed and can stop nobody.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _children_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _seconds_to_stop() -> float:
    return _HURRY_SECONDS if is_stopping() else _STOP_SECONDS


def _end(processes: Sequence[psutil.Process], *, seconds: float) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=seconds)


def _reap(own: set[int]) -> None:
    """Reap child processes that were orphaned."""
    for process in psutil.Process().children():
        if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
