"""`deepfake sweep`: small trials, logged as a tree of runs, resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from deepfake.detectors.bundles import load_bundle
from deepfake.media import write_image
from deepfake.training.recipes import load_recipe
from tests.command_line import product_environment, run_deepfake
from tests.sample_data import clip_frames

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

_SPACE = """
[fixed]
model = "test_efficientnet"
pretrained = "none"
input_size = 64
epochs = 2
batch_size = 8

[pruner]
startup_trials = 1
warmup_epochs = 0

[settings]
learning_rate = { low = 1e-4, high = 1e-2, log = true }
"augment.jpeg_p" = { choices = [0.0, 0.5] }
"""


def _corpus(folder: Path) -> Path:
    for split, count in (("train", 8), ("val", 10)):
        for number, label in enumerate(("real", "fake")):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(count):
                seed = 1000 * number + 100 * (split == "val") + i
                write_image(place / f"{i}.png", clip_frames(1, seed=seed)[0])
    return folder


def _run(folder: Path, *arguments: str | Path) -> str:
    # Servers of a loaded machine take their time.
    environment = product_environment(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="600")
    done = run_deepfake(*arguments, cwd=folder, environment=environment, timeout_seconds=1200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_trials_hang_below_their_sweep_and_more_are_added_to_it(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(_SPACE)
    _run(tmp_path, "ingest", _corpus(tmp_path / "faces"), "--corpus", "faces")
    said = ["sweep", "--dataset", "faces", "--space", "space.toml", "--name", "tiny"]
    assert "2 trials of tiny" in _run(tmp_path, *said, "--trials", "2")
    assert "3 trials of tiny" in _run(tmp_path, *said, "--trials", "3")

    folder = tmp_path / "data" / "sweeps" / "tiny"
    rows = json.loads((folder / "trials.json").read_text())
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    done = [row for row in rows if row["state"] == "complete"]
    best = max(done, key=lambda row: (row["value"], -row["number"]))
    (kept,) = folder.glob("trials/*/bundle")
    assert kept.parent.name == f"{best['number']:03d}"
    recipe = load_recipe(str(folder / "best.toml"))
    assert recipe == load_bundle(kept).spec.train_config
    assert recipe.learning_rate == best["learning_rate"]

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'data' / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("deepfake")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["stage"] == "sweep"]
    trials = [run for run in runs if run.data.tags["stage"] == "trial"]
    assert len(trials) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert parent.data.metrics["objective"] == pytest.approx(best["value"])
    for run in trials:
        assert {"objective", "val_auc"} <= set(run.data.metrics)
        assert float(run.data.params["learning_rate"]) > 0
        assert "None" not in run.data.params.values()
    # The same parameters everywhere: what a plot over all of them needs.
    assert len({frozenset(run.data.params) for run in trials}) == 1
    assert {run.info.status for run in runs} == {"FINISHED"}
