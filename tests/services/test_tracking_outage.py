"""Training while the tracking server is down; its records arrive later."""

from __future__ import annotations

import json
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import torch

from deepfake import registry
from tests.command_line import product_environment
from tests.flows.retrain_home import Home, files_of, make_home, running_flows
from tests.services.processes import free_port, running, wait_until

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(2400),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

_START_SECONDS = 600.0
_AWAY_SECONDS = 60.0
_ENDS_WITH_A_FILE = """
from pathlib import Path
import deepfake.training.fit as fitting
from lightning.pytorch.callbacks import Callback
class Ending(Callback):
    def on_train_epoch_end(self, trainer, *_):
        trainer.should_stop = Path("enough").exists()
create = fitting.create_callbacks
fitting.create_callbacks = lambda *a, **k: [*create(*a, **k), Ending()]
"""
"""However fast the machine is, training lasts until the server is back."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    torch.set_num_threads(1)
    return make_home(tmp_path / "here", uri=f"http://127.0.0.1:{free_port()}")


def _server(home: Home, log: Path) -> AbstractContextManager[Popen[bytes]]:
    """Start the server of a home, always at the same address and on the same files."""
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", home.uri.rpartition(":")[2]]
    command += ["--backend-store-uri", f"sqlite:///{home.path / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(home.path / "artifacts")]
    environment = product_environment(MLFLOW_DISABLE_TELEMETRY="true")
    return running(command, log=log, environment=environment, cwd=home.path)


def _answers(home: Home) -> bool:
    return registry.check_tracking(home.uri)[0]


def _lines(home: Home) -> list[dict[str, Any]]:
    found = list(home.root.runs.glob("long/metrics.jsonl"))
    lines = found[0].read_text().splitlines(keepends=True) if found else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _history(home: Home, run_id: str, name: str) -> list[int]:
    from mlflow import MlflowClient

    return [m.step for m in MlflowClient(home.uri).get_metric_history(run_id, name)]


def _train(epochs: int, run_name: str) -> dict[str, Any]:
    options = {"dataset": "good", "recipe": "tiny.toml", "epochs": epochs, "patience": epochs}
    return {**options, "run_name": run_name, "name": "outlived", "device": "cpu"}


def test_training_goes_on_and_its_records_arrive(home: Home, tmp_path: Path) -> None:
    with running_flows(home, log=tmp_path / "flows.log") as flows:
        with _server(home, tmp_path / "first.log"):
            wait_until(lambda: _answers(home), seconds=_START_SECONDS)
            flows.begin("train", _train(100_000, "long"), before=_ENDS_WITH_A_FILE)
            wait_until(lambda: len(_lines(home)) > 0, seconds=_START_SECONDS)
        assert not _answers(home)
        gone = len(_lines(home))
        time.sleep(_AWAY_SECONDS)
        assert len(_lines(home)) > gone, "it stood still while the server was away"
        with _server(home, tmp_path / "second.log"):
            wait_until(lambda: _answers(home), seconds=_START_SECONDS)
            (home.path / "enough").touch()
            done = flows.result()
            steps = {line["step"] for line in _lines(home) if line["name"] == "train_loss"}
            assert set(_history(home, done["run_id"], "train_loss")) == steps
            assert done["model_version"] == "1"
            (version,) = registry.list_versions("outlived", uri=home.uri)
            assert version.run_id == done["run_id"]


def test_a_server_that_is_away_at_the_end_gets_its_records_with_the_next_run(
    home: Home, tmp_path: Path
) -> None:
    home.write("small", files_of("train", real=8, grid=8))
    with running_flows(home, log=tmp_path / "flows.log") as flows:
        done = flows.run("train", {**_train(1, "deferred"), "dataset": "small"})
        assert done["run_id"] is None and done["model_version"] is None
        pending = home.root.runs / "deferred" / registry.PENDING
        assert pending.is_file()
        with _server(home, tmp_path / "server.log"):
            wait_until(lambda: _answers(home), seconds=_START_SECONDS)
            flows.run("train", {**_train(1, "next"), "dataset": "small"})
            assert not pending.exists()
            from mlflow import MlflowClient

            client = MlflowClient(home.uri)
            experiment = client.get_experiment_by_name("deepfake").experiment_id
            runs = {r.info.run_name: r for r in client.search_runs([experiment])}
            assert set(runs) == {"deferred", "next"}
            assert "train_loss" in runs["deferred"].data.metrics
            assert runs["deferred"].info.status == "FINISHED"
