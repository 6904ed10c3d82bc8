"""The deployments of `prefect.yaml` on a real server with a real worker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from deepfake.corpora.shards import open_snapshot
from deepfake.storage import DataRoot
from tests.paths import CHECKOUT
from tests.sample_data import make_corpus, make_detector
from tests.services.processes import Server, prefect_server, running, tail_of

pytestmark = pytest.mark.services

_RUN_SECONDS = 300.0


@dataclass(frozen=True)
class _Prefect:
    """A server and a worker of the test's own.

    Attributes:
        server: The server.
    """

    server: Server

    def call(self, *arguments: str) -> str:
        """Run a command of Prefect's in the checkout and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=CHECKOUT,
            env=self.server.environment,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{tail_of(self.server.logs)}"
        return done.stdout

    def run_deployment(self, name: str, **parameters: str | int | Path) -> None:
        """Run a deployment to its end, which must be a good one."""
        options = [f"--param={key}={value}" for key, value in parameters.items()]
        printed = self.call("deployment", "run", name, *options, "--watch")
        assert "Completed" in printed, f"{printed}\n{tail_of(self.server.logs)}"


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Prefect]:
    """Yield a fresh server with all deployments and a worker that runs them."""
    folder = tmp_path_factory.mktemp("prefect")
    more = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        # As a shell sets it; a child gets its parent's otherwise.
        "PWD": str(CHECKOUT),
    }
    with prefect_server(folder, **more) as server:
        made = _Prefect(server)
        made.call("work-pool", "create", "local", "--type", "process")
        made.call("--no-prompt", "deploy", "--all")
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local"]
        log = server.logs / "worker.log"
        # Outside of the checkout: a worker may be started anywhere.
        with running(worker, log=log, environment=server.environment, cwd=server.logs):
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
