"""A real server, a real worker, the deployments of `prefect.yaml`: what a team runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest

from deepfake.shards import open_snapshot
from deepfake.storage import DataRoot
from tests.product import make_corpus, make_detector, product_environment

pytestmark = pytest.mark.services

_CHECKOUT = Path(__file__).parents[2]
_START_SECONDS = 120.0
_RUN_SECONDS = 300.0


@dataclass(frozen=True)
class _Prefect:
    """A server and a worker of the test's own.

    Attributes:
        environment: Of every process.
        logs: What the servers write.
    """

    environment: dict[str, str]
    logs: Path

    def call(self, *arguments: str) -> str:
        """Run a command of Prefect's in the checkout and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=_CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.tail()}"
        return done.stdout

    def run_deployment(self, name: str, **parameters: str | int | Path) -> None:
        """Run a deployment to its end, which must be a good one."""
        options = [f"--param={key}={value}" for key, value in parameters.items()]
        printed = self.call("deployment", "run", name, *options, "--watch")
        assert "Completed" in printed, f"{printed}\n{self.tail()}"

    def tail(self) -> str:
        """Return the end of what server and worker wrote."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-6000:]}" for path in sorted(self.logs.iterdir())
        )


@contextmanager
def _running(*arguments: str, name: str, prefect: _Prefect) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Prefect's in the background; it and all its children are stopped.

    It runs outside the checkout: a worker may be started anywhere.
    """
    with (prefect.logs / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=prefect.logs,
            env={**prefect.environment, "PWD": str(prefect.logs)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
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


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], prefect: _Prefect) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"the server did not start\n{prefect.tail()}")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Prefect]:
    """Yield a fresh server with all deployments and a worker that runs them."""
    folder = tmp_path_factory.mktemp("prefect")
    (folder / "logs").mkdir()
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = product_environment(
        PREFECT_HOME=str(folder / "home"),
        PREFECT_API_URL=url,
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
        MLFLOW_TRACKING_URI=f"sqlite:///{folder / 'mlflow.db'}",
        # As a shell sets it; a child gets its parent's otherwise.
        PWD=str(_CHECKOUT),
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )
    made = _Prefect(environment, folder / "logs")
    start = ("server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
    with _running(*start, name="server", prefect=made) as server:
        _wait_until_healthy(url, server, made)
        made.call("work-pool", "create", "local", "--type", "process")
        made.call("--no-prompt", "deploy", "--all")
        with _running("worker", "start", "--pool", "local", name="worker", prefect=made):
            yield made


def test_all_flows_are_deployed(prefect: _Prefect) -> None:
    listed = prefect.call("deployment", "ls")
    for name in ("ingest", "train", "evaluate", "retrain", "score"):
        assert f"{name}/local" in listed


def test_deployed_ingest_and_score_complete(prefect: _Prefect, tmp_path: Path) -> None:
    media, data_root = make_corpus(tmp_path / "media", clips=1, stills=1), tmp_path / "data"
    prefect.run_deployment(
        "ingest/local", input_path=media, corpus="tiny", data_root=data_root, frames=4
    )
    snapshot = open_snapshot(DataRoot(data_root), "tiny")
    assert sorted(snapshot.outcomes()["status"]) == ["ok"] * 4
    assert len(snapshot.index()) == 2 * 4 + 2

    detector, output = make_detector(tmp_path / "detector"), tmp_path / "scores"
    shutil.copytree(media, tmp_path / "inbox")
    prefect.run_deployment(
        "score/local",
        folder=tmp_path / "inbox",
        output=output,
        weights=detector,
        data_root=data_root,
    )
    scores = pd.read_parquet(output / "scores.parquet")
    assert list(scores["status"]) == ["ok"] * 4
    assert scores["prob_fake"].between(0, 1).all()
