"""The flow `train`: a corpus to a registered detector."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.retraining import Flows, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_detector_is_trained_recorded_and_registered(
    small_home: Home, small_flows: Flows
) -> None:
    done = small_flows.run(
        "train",
        {
            "dataset": "small",
            "recipe": "tiny.toml",
            "epochs": 1,
            "device": "cpu",
            "name": "small-one",
            "run_name": "first",
        },
    )
    assert done["model_version"] == "1"
    assert (Path(small_home.path / done["bundle"]) / "detector.json").is_file()
    assert done["metrics"]["val_auc"] is not None
    again = small_flows.run("train", {"dataset": "small", "run_name": "first"})
    assert "is there already" in again["error"]
