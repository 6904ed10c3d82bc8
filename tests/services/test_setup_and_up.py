"""`deepfake setup` and `deepfake up` start and stop real servers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deepfake.media import write_image
from tests.command_line import Completed, product_environment, run_deepfake
from tests.paths import CHECKOUT
from tests.sample_data import clip_frames, make_detector
from tests.services.processes import Server, prefect_server, running, tail_of, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]

_START_SECONDS = 900.0
_QUICK = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PYTHONPATH": str(CHECKOUT)}


def _ask(api: str, path: str, **query: Any) -> Any:
    answer = httpx.post(f"{api}/{path}", json=query, timeout=30)
    answer.raise_for_status()
    return answer.json()


def _runs(api: str, flow: str) -> list[dict[str, Any]]:
    """Return the runs of a flow that have begun."""
    begun = {"state": {"type": {"any_": ["RUNNING", "COMPLETED", "FAILED", "CRASHED"]}}}
    flows = {"name": {"any_": [flow]}}
    return list(_ask(api, "flow_runs/filter", flows=flows, flow_runs=begun))


@dataclass(frozen=True)
class _Up:
    """A `deepfake up` that has said where everything is.

    Attributes:
        process: The process.
        folder: Where it was started.
        prefect: Address of Prefect's page.
        mlflow: Address of MLflow's page.
    """

    process: subprocess.Popen[bytes]
    folder: Path
    prefect: str
    mlflow: str

    @property
    def api(self) -> str:
        return f"{self.prefect}/api"

    @property
    def printed(self) -> str:
        return (self.folder / "up.log").read_text()

    def environment(self) -> dict[str, str]:
        return product_environment(PREFECT_API_URL=self.api, **_QUICK)

    def try_setup(self, *options: str) -> Completed:
        """Run `deepfake setup`, whatever comes of it."""
        return run_deepfake("setup", *options, cwd=self.folder, environment=self.environment())

    def setup(self, *options: str) -> dict[str, str]:
        """Return what `deepfake setup` did to each thing."""
        done = self.try_setup(*options)
        assert done.returncode == 0, done.stderr
        columns = [re.split(" {2,}", line.strip()) for line in done.stdout.splitlines()]
        return {f"{kind}: {name}": outcome for kind, name, outcome in columns}


@contextlib.contextmanager
def _up(folder: Path) -> Iterator[_Up]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "deepfake", "up", "--port", "0", "--mlflow-port", "0"]
    log = folder / "up.log"
    environment = product_environment(**_QUICK)
    with running(command, log=log, environment=environment, cwd=folder) as process:
        wait_until(
            lambda: "Ctrl-C stops" in log.read_text() or process.poll() is not None,
            seconds=_START_SECONDS,
        )
        assert process.poll() is None, f"{log.read_text()}\n{tail_of(folder / 'data' / 'logs')}"
        found = dict(
            re.findall(r"^(Prefect|MLflow): (http://127\.0\.0\.1:\d+)", log.read_text(), re.M)
        )
        yield _Up(process, folder, found["Prefect"], found["MLflow"])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Up]:
    with _up(tmp_path_factory.mktemp("up")) as made:
        yield made


def test_the_addresses_answer(up: _Up) -> None:
    assert "<title>Prefect" in httpx.get(up.prefect, timeout=30, follow_redirects=True).text
    assert httpx.get(f"{up.api}/health", timeout=30).json() is True
    assert "<title>MLflow" in httpx.get(up.mlflow, timeout=30).text
    assert (up.folder / "data" / ".prefect").is_dir()
    assert (up.folder / "data" / "mlruns" / "mlflow.db").is_file()


def test_setting_up_again_changes_nothing_but_what_is_asked_for(up: _Up) -> None:
    assert "created" in up.printed
    again = up.setup()
    assert again.pop("retraining: retrain/local").startswith("not automatic")
    assert set(again.values()) == {"unchanged"}
    flows = ("ingest", "train", "evaluate", "calibrate", "robustness", "retrain", "score")
    assert {f"deployment: {flow}/local" for flow in flows} <= set(again)

    refused = up.try_setup("--schedule", "30 4 * * *")
    assert refused.returncode == 2 and "needs a corpus to retrain on" in refused.stderr
    _ingested(up, "videos")
    said = ("--dataset", "videos", "--schedule", "30 4 * * *", "--timezone", "Europe/Berlin")
    scheduled = up.setup(*said)
    assert scheduled["retraining: retrain/local"] == "on videos; no held-out set"
    assert scheduled["automation: retrain when a corpus has grown"] == "created"
    assert scheduled["deployment: retrain/local"] == "updated"
    assert scheduled["schedule: retrain/local"] == "30 4 * * * Europe/Berlin, on"
    # What a person switched on stays on.
    assert up.setup()["schedule: retrain/local"] == "30 4 * * * Europe/Berlin, on"
    assert up.setup("--schedule", "off")["schedule: retrain/local"].endswith(", off")


def _ingested(up: _Up, corpus: str) -> None:
    """Let a corpus look as if it was ingested."""
    folder = up.folder / "data" / "shards" / corpus
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest").write_text("0" * 16)


def test_a_corpus_that_has_grown_is_learnt_from_if_it_was_named(up: _Up) -> None:
    _ingested(up, "videos")
    up.setup("--dataset", "videos", "--name", "watched")
    code = (
        "from prefect.events import emit_event\n"
        "for name in ('others', 'videos'):\n"
        "    emit_event(event='deepfake.corpus.grown', payload={'corpus': name},\n"
        "               resource={'prefect.resource.id': f'deepfake.corpus.{name}'})\n"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, env=up.environment(), cwd=up.folder, check=True, timeout=120)

    wait_until(lambda: bool(_runs(up.api, "retrain")), seconds=400)
    (run,) = _runs(up.api, "retrain")
    assert run["parameters"]["dataset"] == ["videos"]
    assert run["parameters"]["name"] == "watched"


def test_the_schedule_comes_true(up: _Up) -> None:
    _ingested(up, "videos")
    up.setup("--dataset", "videos", "--schedule", "* * * * *")

    def ended() -> list[dict[str, Any]]:
        return [
            run
            for run in _runs(up.api, "retrain")
            if run["auto_scheduled"] and run["state_type"] == "FAILED"
        ]

    try:
        wait_until(lambda: bool(ended()), seconds=240)
    finally:
        up.setup("--schedule", "off")
    logs = {"flow_run_id": {"any_": [ended()[0]["id"]]}}
    messages = [line["message"] for line in _ask(up.api, "logs/filter", logs=logs)]
    assert any("Beginning flow run" in line for line in messages), "Prefect's page shows the log"
    # There is nothing to train on; that it began, and when, is what was asked.
    assert "videos" in ended()[0]["state"]["message"]
    assert ended()[0]["expected_start_time"][17:19] == "00"


def test_trainings_wait_for_one_another(up: _Up) -> None:
    code = (
        "import time\n"
        "from flows.server.limits import one_training\n"
        "with one_training():\n"
        "    print(time.time(), flush=True)\n"
        "    time.sleep(4)\n"
        "    print(time.time(), flush=True)\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=up.environment(),
            cwd=up.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    spans = sorted(tuple(map(float, p.communicate(timeout=180)[0].split())) for p in both)
    (first, second) = spans
    assert first[1] <= second[0]


def test_ctrl_c_stops_all(up: _Up) -> None:
    children = psutil.Process(up.process.pid).children(recursive=True)
    assert len(children) >= 3
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 130, up.printed
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    for address in (up.prefect, up.mlflow):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address, timeout=5)


def test_where_one_dies_the_others_are_stopped_and_it_is_named(tmp_path: Path) -> None:
    with _up(tmp_path / "up") as up:
        children = psutil.Process(up.process.pid).children(recursive=True)
        worker = next(c for c in children if "worker" in c.cmdline())
        worker.send_signal(signal.SIGKILL)
        assert up.process.wait(60) == 1
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []
        assert "error: worker ended with exit code -9" in up.printed


def test_a_server_that_is_named_is_not_started_anew(tmp_path: Path) -> None:
    environment = product_environment(PREFECT_API_URL="http://127.0.0.1:1/api")
    done = run_deepfake("up", cwd=tmp_path, environment=environment)
    assert done.returncode == 2
    assert "PREFECT_API_URL names a server already" in done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with prefect_server(tmp_path / "prefect", **_QUICK) as made:
        yield made


def test_a_training_against_a_server_that_was_not_set_up_says_so(
    server: Server, tmp_path: Path
) -> None:
    code = "from flows.server.limits import one_training\nwith one_training(): pass"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=server.environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "has no concurrency limit 'deepfake-training'" in done.stderr


def test_a_run_whose_process_and_worker_were_killed_is_crashed(
    server: Server, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(400):
        write_image(inbox / f"{number}.png", clip_frames(1, seed=number)[0])
    said = ["setup", "--data-root", tmp_path / "data"]
    done = run_deepfake(*said, cwd=tmp_path, environment=server.environment)
    assert done.returncode == 0, done.stderr
    api = server.environment["PREFECT_API_URL"]
    named = httpx.get(f"{api}/deployments/name/score/local", timeout=30).json()
    parameters = {
        "folder": str(inbox),
        "output": str(tmp_path / "scores"),
        "weights": str(make_detector(tmp_path / "detector")),
        "data_root": str(tmp_path / "data"),
        "num_workers": 1,
    }
    made = _ask(api, f"deployments/{named['id']}/create_flow_run", parameters=parameters)

    def run() -> dict[str, Any]:
        return dict(httpx.get(f"{api}/flow_runs/{made['id']}", timeout=30).json())

    worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local"]
    log = server.logs / "worker.log"
    with running(worker, log=log, environment=server.environment, cwd=tmp_path) as process:
        wait_until(lambda: run()["state_type"] == "RUNNING")
        # Its first heartbeat comes with it.
        time.sleep(5)
        own = psutil.Process(process.pid)
        for one in [own, *own.children(recursive=True)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
    assert run()["state_type"] == "RUNNING", "nobody was left to say how it ended"
    wait_until(lambda: run()["state_type"] != "RUNNING", seconds=240)
    state = run()["state"]
    assert state["type"] == "CRASHED", tail_of(server.logs)
    assert "No heartbeat in 90 s" in state["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_child(tmp_path: Path, number: signal.Signals) -> None:
    with _up(tmp_path / "up") as up:
        children = psutil.Process(up.process.pid).children(recursive=True)
        up.process.send_signal(number)
        assert up.process.wait(60) == (143 if number == signal.SIGTERM else -number)
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
