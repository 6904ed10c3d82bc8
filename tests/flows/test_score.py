"""The flow `score`: a folder to tables of scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import run_deepfake
from tests.flows.retrain_home import Flows, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_folder_is_scored_and_then_nothing_is_new(small_home: Home, small_flows: Flows) -> None:
    options = {
        "folder": "media",
        "output": "scores",
        "weights": "detector",
        "device": "cpu",
        "num_workers": 1,
        "evidence": 0,
    }
    done = small_flows.run("score", options)
    assert (done["num_files"], done["num_scored"]) == (2, 2)
    assert (small_home.path / "scores" / "scores.csv").is_file()
    assert small_flows.run("score", options)["num_scored"] == 0
    refused = small_flows.run("score", {**options, "output": "media"})
    assert "among the media" in refused["error"]


def test_the_command_starts_no_prefect_where_nothing_is_new(
    small_home: Home, small_flows: Flows
) -> None:
    options = {
        "folder": "media",
        "output": "again",
        "weights": "detector",
        "device": "cpu",
        "num_workers": 1,
    }
    assert small_flows.run("score", options)["num_scored"] == 2
    # Files that changed within two seconds of being read are read once more.
    small_flows.run("score", options)
    done = run_deepfake(
        "score",
        "media",
        *("--output", "again", "--weights", "detector", "--device", "cpu"),
        cwd=small_home.path,
        # A Prefect that cannot be imported.
        environment={**small_home.environment, "PYTHONPATH": str(_without_prefect(small_home))},
    )
    assert done.returncode == 0, done.stderr
    assert "nothing to score: 2 files listed, none new or changed" in done.stdout
    assert "2 files" in done.stdout


def _without_prefect(home: Home) -> Path:
    folder = home.path / "no-prefect"
    (folder / "prefect").mkdir(parents=True)
    (folder / "prefect" / "__init__.py").write_text("raise ImportError('Prefect was started')")
    return folder
