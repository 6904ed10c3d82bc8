"""Take screenshots of MLflow's and Prefect's pages after an ingest and three trainings.

`python -m benchmarks.pictures.server_pages` makes everything anew from the demo's media, in a
temporary folder, on servers of its own, and writes `docs/images/mlflow.png` and `prefect.png`: ten
minutes on two CPU cores, with a Chromium that is installed already. `--mlflow-uri` compares the
networks of a store that is there instead, such as that of `benchmarks.detectors.ablation`: of each
architecture the newest evaluation.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from benchmarks import ROOT
from deepfake.corpora.demo import make_demo_media

__all__ = [
    "IMAGES",
    "answers",
    "chromium",
    "environment_of",
    "main",
    "serving",
    "take_pictures",
    "wait_for",
]

_PROJECT = ROOT
IMAGES = _PROJECT / "docs" / "images"
_NETWORKS = ("tf_efficientnet_lite0", "efficientnet", "mobilenetv3_small_100")
_WAIT_SECONDS = 900.0
_SIZE = {"width": 1400, "height": 760}
_SHOWN = (["architecture"], ["video_auc", "matched_auc", "video_ece", "coverage"])
_LIST, _ITEM = "du-bois-light-select-dropdown", "du-bois-light-select-item"
_LONGEST_LIST = 500


@dataclass(frozen=True)
class _Servers:
    folder: Path
    prefect: str
    mlflow: str

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(PREFECT_API_URL=f"{self.prefect}/api")

    def run(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", *map(str, arguments)]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)

    def ask(self, path: str, **body: Any) -> Any:
        """Return what Prefect answers."""
        answer = httpx.post(f"{self.prefect}/api/{path}", json=body, timeout=60)
        return answer.raise_for_status().json()


def environment_of(**more: str) -> dict[str, str]:
    """Return the environment of a command that finds no server and no store of somebody's."""
    ours = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    return {**kept, **ours, "PYTHONPATH": str(_PROJECT), **more}


@contextmanager
def chromium(*, size: dict[str, int] | None = None) -> Iterator[Page]:
    """Yield a page of a Chromium without a window, the one that is installed.

    Raises:
        SystemExit: There is none.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        # As root Chromium has no sandbox; what it opens here is our own.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"], timeout=180_000
        )
        yield browser.new_page(viewport=size or _SIZE, color_scheme="light", locale="en-GB")
        browser.close()


@contextmanager
def _servers(folder: Path) -> Iterator[_Servers]:
    """Yield Prefect with a worker, and MLflow, as `deepfake up` starts them."""
    log = folder / "up.log"
    command = [sys.executable, "-m", "deepfake", "up", "--port", "0", "--mlflow-port", "0"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment_of(), "PWD": str(folder)},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: "Ctrl-C stops" in log.read_text() or process.poll() is not None)
        output = log.read_text()
        found = dict(re.findall(r"^(Prefect|MLflow): (http://127\.0\.0\.1:\d+)", output, re.M))
        if len(found) < 2:
            raise SystemExit(output)
        yield _Servers(folder, found["Prefect"], found["MLflow"])
    finally:
        process.terminate()
        process.wait()


def wait_for(is_done: Callable[[], bool]) -> None:
    """Wait until something is so.

    Raises:
        SystemExit: It took a quarter of an hour.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise SystemExit("it took too long")
        time.sleep(1)


def take_pictures(images: Path, *, mlflow_uri: str | None = None) -> None:
    """Write both pictures.

    Args:
        images: The folder.
        mlflow_uri: A store whose networks are compared; None for three that learn here.
    """
    with tempfile.TemporaryDirectory(prefix="deepfake-pages-") as temporary:
        folder = Path(temporary)
        media = make_demo_media(folder / "demo")
        with _servers(folder) as servers:
            retrained = _grow(servers, media.corpus)
            with chromium() as page:
                page.goto(f"{servers.prefect}/runs/flow-run/{retrained}")
                page.get_by_text("Task Runs", exact=True).first.wait_for(timeout=120_000)
                _picture(page, images / "prefect.png")
            if mlflow_uri is None:
                for network in _NETWORKS:
                    _learn(servers, network)
                _compare(servers.mlflow, images / "mlflow.png")
    if mlflow_uri is not None:
        with _store_page(mlflow_uri) as address:
            _compare(address, images / "mlflow.png")


def _compare(mlflow: str, path: Path) -> None:
    """Take the picture of the newest evaluation of each architecture, side by side."""
    experiment = _experiment(mlflow)
    newest: dict[str, str] = {}
    for run in _search(mlflow, experiment, "tags.stage = 'evaluate'"):
        params = {param["key"]: param["value"] for param in run["data"]["params"]}
        newest.setdefault(params["architecture"], run["info"]["run_id"])
    runs = json.dumps(list(newest.values()))
    with chromium() as page:
        page.goto(f"{mlflow}/#/compare-runs?runs={runs}&experiments={json.dumps([experiment])}")
        page.get_by_text("Parallel Coordinates Plot").first.wait_for(timeout=120_000)
        page.get_by_role("button", name="Close", exact=True).click()  # of its assistant
        page.get_by_role("button", name="Clear All").click()
        for number, names in enumerate(_SHOWN, start=1):
            for name in names:
                _choose(page, f"#dubois-select-{number}", name)
        _picture(page, path)


def _choose(page: Page, select: str, name: str) -> None:
    """Choose an entry of one of MLflow's lists, which are drawn as far as they are seen."""
    active = page.locator(f".{_LIST}:not(.{_LIST}-hidden) .{_ITEM}-option-active")
    page.locator(select).click(force=True)
    page.wait_for_timeout(500)
    for _ in range(_LONGEST_LIST):
        if name in (active.get_attribute("title"), active.text_content()):
            page.keyboard.press("Enter")
            page.keyboard.press("Escape")
            return
        page.keyboard.press("ArrowDown")
    raise SystemExit(f"MLflow's page offers no {name}")


def _picture(page: Page, path: Path) -> None:
    page.wait_for_timeout(5000)  # what is drawn moves into its place
    page.screenshot(path=str(path))
    print(path, flush=True)


def _grow(servers: _Servers, corpus: Path) -> str:
    """Let deployments ingest and retrain, and return the run of the retraining."""
    _deploy(servers, "ingest", f"input_path={corpus}", "corpus=demo", "frames=8")
    servers.run("deepfake", "setup", "--dataset", "demo", "--name", "deepfake-detector-demo")
    _deploy(servers, "retrain", "recipe=baseline", "epochs=1")
    named = {"flows": {"name": {"any_": ["retrain"]}}, "sort": "START_TIME_DESC"}
    return str(servers.ask("flow_runs/filter", **named)[0]["id"])


def _deploy(servers: _Servers, flow: str, *parameters: str) -> None:
    given = [word for each in parameters for word in ("--param", each)]
    servers.run("prefect", "deployment", "run", f"{flow}/local", "--watch", *given)


def _learn(servers: _Servers, network: str) -> None:
    """Train a network, and measure it."""
    name = f"demo-{network.replace('_', '-')}"
    servers.run(
        *("deepfake", "train", "--dataset", "demo", "--model", network, "--epochs", "3"),
        *("--pretrained", "auto" if network.startswith("tf_") else "none"),
        *("--name", name, "--run-name", network),
    )
    servers.run("deepfake", "evaluate", "--dataset", "demo", "--weights", f"models:/{name}/latest")


@contextmanager
def _store_page(uri: str) -> Iterator[str]:
    """Yield the address of MLflow's page on a store."""
    command = ("mlflow", "server", "--workers", "1")
    environment = environment_of(MLFLOW_BACKEND_STORE_URI=uri)
    with serving(*command, health="health", environment=environment) as address:
        yield address


@contextmanager
def serving(
    *command: str, health: str, environment: Mapping[str, str], folder: Path | None = None
) -> Iterator[str]:
    """Yield the address of a server while it runs, on a port that was free.

    Args:
        command: A module of Python's and its arguments; it takes `--port`.
        health: Below the address, what answers once it is there.
        environment: Of its process.
        folder: Where it runs; None for here.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    whole = [sys.executable, "-m", *command, "--port", str(port)]
    process = subprocess.Popen(whole, cwd=folder, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: process.poll() is not None or answers(f"{address}/{health}"))
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Return whether a server answers."""
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.HTTPError:
        return False


def _search(mlflow: str, experiment: str, wanted: str) -> list[dict[str, Any]]:
    answer = httpx.post(
        f"{mlflow}/api/2.0/mlflow/runs/search",
        json={"experiment_ids": [experiment], "filter": wanted, "max_results": 1000},
        timeout=60,
    )
    return list(answer.raise_for_status().json()["runs"])


def _experiment(mlflow: str) -> str:
    answer = httpx.get(
        f"{mlflow}/api/2.0/mlflow/experiments/get-by-name",
        params={"experiment_name": "deepfake"},
        timeout=60,
    )
    return str(answer.raise_for_status().json()["experiment"]["experiment_id"])


def main() -> None:
    """Take both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES, help="Where they go.")
    parser.add_argument("--mlflow-uri", help="A store to compare the networks of.")
    options = parser.parse_args()
    options.images.mkdir(parents=True, exist_ok=True)
    take_pictures(options.images, mlflow_uri=options.mlflow_uri)


if __name__ == "__main__":
    main()
