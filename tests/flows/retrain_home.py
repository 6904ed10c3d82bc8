"""What a retraining needs: corpora made by code, small detectors, a registry, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deepfake import registry
from deepfake.cli import app
from deepfake.config import TrainConfig
from deepfake.corpora.held_out import freeze_held_out_set
from deepfake.corpora.shards import Snapshot, set_latest
from deepfake.detectors.bundles import load_bundle
from deepfake.storage import DataRoot
from deepfake.training import train_detector
from deepfake.training.recipes import load_recipe
from tests.command_line import product_environment
from tests.log_bundle import log_bundle
from tests.synthetic_corpus import CropFile, write_corpus

__all__ = ["Flows", "Home", "files_of", "make_home", "running_flows"]

_SERVE = """
import importlib, json, sys
from pathlib import Path
from deepfake.storage.environment import configure_environment
from flows.server.run import share_server
Path("data").mkdir(exist_ok=True)
configure_environment(Path("data"))
from deepfake.errors import DeepfakeError
with share_server():
    for line in sys.stdin:
        before, name, options = json.loads(line)
        exec(before)
        try:
            done = getattr(importlib.import_module(f"flows.{name}"), name)(**options)
        except DeepfakeError as error:
            done = {"error": str(error)}
        print("@" + json.dumps(done), flush=True)
"""

RECIPE = """\
model = "test_efficientnet"
pretrained = "none"
input_size = 64
epochs = 2
patience = 100
batch_size = 8
learning_rate = 3e-3
[augment]
is_enabled = false
"""
POLICY = """\
held_out = "newsdesk"
min_gain = 0.01
max_regression = 0.05
min_slice_files = 20
max_ece_rise = 0.5
max_cost_ratio = 3.0
"""


@dataclass(frozen=True)
class Home:
    """A folder in which somebody trains.

    Attributes:
        path: The folder.
        uri: Its MLflow store, or the server in front of it.
    """

    path: Path
    uri: str

    @property
    def root(self) -> DataRoot:
        """Its data root."""
        return DataRoot(self.path / "data")

    @property
    def environment(self) -> dict[str, str]:
        """Of every command."""
        return product_environment(
            MLFLOW_TRACKING_URI=self.uri, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="600"
        )

    def write(self, corpus: str, files: Sequence[CropFile], *, seed: int = 0) -> Snapshot:
        """Write a corpus and make it the newest of its name."""
        snapshot = write_corpus(self.root.path, files, corpus=corpus, seed=seed)
        set_latest(snapshot.corpus_dir, snapshot.digest)
        return snapshot

    def options(self, corpus: str, *, name: str) -> dict[str, Any]:
        """Return what a retraining from scratch is called with."""
        return {
            "dataset": [corpus],
            "start": "scratch",
            "recipe": "tiny.toml",
            "policy": "policy.toml",
            "name": name,
            "device": "cpu",
        }

    def command(self, *arguments: str) -> str:
        """Run a command that starts no server, and return what it prints.

        Raises:
            DeepfakeError: What the user would see in a line.
        """
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(self.path)
            patched.setenv("MLFLOW_TRACKING_URI", self.uri)
            patched.setenv("COLUMNS", "200")
            done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def crown(self, name: str, corpus: str, **changes: object) -> int:
        """Train a detector on a corpus and make it champion of a model."""
        config = load_recipe(str(self.path / "tiny.toml"))
        config = TrainConfig.model_validate({**config.model_dump(), **changes})
        snapshot = Snapshot(self.root.corpus_shards(corpus), corpus, _latest(self.root, corpus))
        result = train_detector(
            snapshots=[snapshot],
            config=config,
            run_dir=self.root.runs / f"champion-{name}",
            name=name,
            device="cpu",
            num_workers=0,
            show_progress=False,
        )
        digest = load_bundle(result.bundle).digest
        run_id = log_bundle(result.bundle, experiment="deepfake", run_name=name, uri=self.uri)
        version = registry.register_once(run_id, name=name, digest=digest, uri=self.uri)
        registry.promote(name, version, author="the test", reason="to begin with", uri=self.uri)
        return version

    def aliases(self, name: str) -> dict[str, int]:
        """Return which version each alias names."""
        return {
            alias: version.version
            for version in registry.list_versions(name, uri=self.uri)
            for alias in version.aliases
        }


def _latest(root: DataRoot, corpus: str) -> str:
    return str((root.corpus_shards(corpus) / "latest").read_text()).strip()


def files_of(
    split: str, *, real: int = 0, grid: int = 0, stripes: int = 0, is_swapped: bool = False
) -> list[CropFile]:
    """Return files of a split; with labels that say nothing if `is_swapped`.

    Fakes of the method `grid` have a grid over them, those of `stripes` stripes.
    """
    counts = {"none": real, "grid": grid, "stripes": stripes}
    files = []
    for trace, count in counts.items():
        for i in range(count):
            is_fake = (trace != "none") != (is_swapped and i % 2 == 0)
            files.append(
                CropFile(
                    f"{split}/{trace}/{i}",
                    "fake" if is_fake else "real",
                    split,
                    method=trace if is_fake else "original",
                    trace=trace,
                )
            )
    return files


def make_home(path: Path, *, uri: str | None = None) -> Home:
    """Return a home with a recipe, a policy, and a held-out set of stills with either trace."""
    path.mkdir(parents=True, exist_ok=True)
    home = Home(path, uri or registry.tracking_uri(path))
    (path / "tiny.toml").write_text(RECIPE)
    (path / "policy.toml").write_text(POLICY)
    held_out = home.write("tested", files_of("test", real=60, grid=60, stripes=30), seed=9)
    freeze_held_out_set(home.root, "newsdesk", snapshot=held_out)
    learnt = {"real": 24, "grid": 24}
    choosing = {"real": 80, "grid": 80}
    home.write("good", files_of("train", **learnt) + files_of("val", **choosing), seed=1)
    home.write(
        "noise",
        files_of("train", **learnt, is_swapped=True) + files_of("val", **choosing, is_swapped=True),
        seed=2,
    )
    return home


@dataclass(frozen=True)
class Flows:
    """A process that runs one flow after another, with one server for all.

    Attributes:
        process: It reads calls and writes summaries.
        log: What it says beside.
    """

    process: subprocess.Popen[str]
    log: Path

    def begin(self, name: str, options: dict[str, Any], *, before: str = "") -> None:
        """Start a flow; `before` is run in the process first."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([before, name, options]) + "\n")
        self.process.stdin.flush()

    def run(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Run a flow to its end; an error of ours is `error` in what is returned."""
        self.begin(name, options)
        return self.result()

    def result(self) -> dict[str, Any]:
        """Wait for a flow that was begun, and return its summary."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("@"):
                summary: dict[str, Any] = json.loads(line[1:])
                return summary
        raise AssertionError(self.log.read_text()[-8000:])


@contextmanager
def running_flows(home: Home, *, log: Path) -> Iterator[Flows]:
    """Start a process for flows in a home, and stop it at the end."""
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            cwd=home.path,
            env=home.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            start_new_session=True,
        )
    try:
        yield Flows(process, log)
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait(300)
