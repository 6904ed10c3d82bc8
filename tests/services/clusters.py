"""Start a Dask cluster on loopback, each worker with its own home folder."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.services.processes import Server, free_port, prefect_server, running, wait_until

__all__ = ["Cluster", "dask_cluster"]


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers, each with a home of its own, as on machines of their own.

    Attributes:
        address: Of the scheduler.
        server: What all report to.
        folder: Where the homes and logs are.
    """

    address: str
    server: Server
    folder: Path

    @contextlib.contextmanager
    def worker(
        self, name: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker process, in a folder of its own."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        command = [*_dask("worker"), self.address, "--name", name, "--nthreads", "2", *options]
        variables = {
            **self.server.environment,
            "PREFECT_HOME": str(home / "prefect"),
            "DEEPFAKE_CACHE": str(home / "cache"),
            "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
            **(environment or {}),
        }
        log = self.server.logs / f"{name}.log"
        with running(command, log=log, environment=variables, cwd=home) as process:
            wait_until(lambda: "Registered to" in log.read_text())
            yield process

    @property
    def options(self) -> list[str]:
        """What a command needs to run here."""
        return ["--task-runner", "dask", "--dask-address", self.address]


def _dask(what: str) -> list[str]:
    return [sys.executable, "-m", "dask", what, "--no-dashboard"]


@contextlib.contextmanager
def dask_cluster(folder: Path, *, protocol: str = "tcp", **more: str) -> Iterator[Cluster]:
    """Run a scheduler, and the Prefect server that all report to.

    Args:
        folder: Homes and logs go there.
        protocol: Of the scheduler and its workers.
        more: Further variables of the environment of all.
    """
    address = f"{protocol}://127.0.0.1:{free_port()}"
    with prefect_server(folder / "prefect", **more) as server:
        log = server.logs / "scheduler.log"
        command = [*_dask("scheduler"), "--host", address]
        with running(command, log=log, environment=server.environment, cwd=folder):
            wait_until(lambda: "Scheduler at" in log.read_text())
            yield Cluster(address, server, folder)
