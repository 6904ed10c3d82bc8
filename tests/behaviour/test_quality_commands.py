"""Train, calibrate, compare and stress a detector by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from deepfake.detectors.bundles import load_bundle
from deepfake.media import write_image
from tests.command_line import Completed, run_deepfake
from tests.sample_data import clip_frames, make_detector

pytestmark = pytest.mark.slow


def _run(folder: Path, *arguments: str | Path) -> Completed:
    done = run_deepfake(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an ingested corpus of stills, a quarter of them to test on."""
    folder = tmp_path_factory.mktemp("home")
    for split, count in {"train": 4, "val": 90, "test": 12}.items():
        for number, label in enumerate(("real", "fake")):
            place = folder / "stills" / split / label
            place.mkdir(parents=True)
            for i in range(count):
                seed = 1000 * len(split) + 2 * i + number
                write_image(place / f"{i}.png", clip_frames(1, seed=seed, side=160)[0])
    make_detector(folder / "detector")
    make_detector(folder / "other", name="other")
    # As the crops of those detectors are.
    _run(folder, "ingest", "stills", "--corpus", "stills", "--edge", "mirror")
    return folder


def test_clips_calibrate_videos(home: Path) -> None:
    made = _run(home, "clips", "--dataset", "stills", "--output", "clips", "--max-clips", "240")
    assert "next: deepfake ingest clips/clips.csv" in made.stdout
    _run(
        home,
        "ingest",
        "clips/clips.csv",
        "--corpus",
        "stills-clips",
        "--layout",
        "csv",
        "--frames",
        "8",
        "--edge",
        "mirror",
    )
    done = _run(
        home,
        *("calibrate", "--weights", "detector", "--half-weights", "--run-name", "done"),
        *("--dataset", "stills", "--dataset", "stills-clips"),
    )
    assert "calibrated: tried" in done.stdout
    assert "made by code out of stills" in " ".join(done.stdout.split())
    before, after = (load_bundle(home / p) for p in ("detector", "data/runs/done/bundle"))
    assert after.spec.judgement["still"].calibration.fitted_on == "still"
    assert after.spec.judgement["video"].calibration.fitted_on == "synthetic video"
    assert after.spec.judgement["video"].support.min_frames == 3
    sizes = [(b.path / "weights.safetensors").stat().st_size for b in (before, after)]
    assert sizes[1] < 0.6 * sizes[0]


def test_a_detector_is_compared_with_another(home: Path) -> None:
    done = _run(
        home, "evaluate", "--dataset", "stills", "--weights", "detector", "--against", "other"
    )
    assert "difference" in done.stdout
    (folder,) = (home / "data" / "evaluations").glob("evaluate-*")
    found = json.loads((folder / "comparison.json").read_text())["stills"]["all"]
    assert found["n"] == 24
    assert found["auc_a"] == found["auc_b"], "both have the same weights"


def test_frames_are_made_worse_before_faces_are_looked_for(home: Path) -> None:
    done = _run(
        home,
        *("robustness", "--dataset", "stills", "--weights", "detector", "--max-files", "8"),
        *("--perturbation", "resize", "--perturbation", "jpeg:20"),
    )
    assert "resize 0.18" in done.stdout
    (folder,) = (home / "data" / "evaluations").glob("robustness-*")
    conditions = json.loads((folder / "report.json").read_text())["conditions"]
    assert [c["name"] for c in conditions] == ["clean", *["resize"] * 5, "jpeg"]
    assert {c["n"] for c in conditions} == {8}
    table = pd.read_parquet(folder / "files.parquet")
    assert len(table) == 7 * 8
    clean = table[table["perturbation"] == "clean"].set_index("uri")["logit"]
    worse = table[table["perturbation"] == "jpeg"].set_index("uri")["logit"]
    assert (clean - worse).abs().min() > 0, "each file was scored anew"
    assert (folder / "figures" / "robustness.png").stat().st_size > 10_000
