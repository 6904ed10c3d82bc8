"""The flow `score`: a folder to tables of scores."""

from __future__ import annotations

import pytest

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
