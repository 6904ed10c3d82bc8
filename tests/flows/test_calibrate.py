"""The flow `calibrate`: a detector and `val` parts to a calibrated detector."""

from __future__ import annotations

import pytest

from tests.flows.retraining import Flows, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_detector_is_calibrated_on_val_and_registered(
    small_home: Home, small_flows: Flows
) -> None:
    options = {
        "dataset": ["small"],
        "weights": "detector",
        "device": "cpu",
        "name": "small-calibrated",
        "run_name": "calibrated",
        "prior": 0.2,
    }
    done = small_flows.run("calibrate", options)
    assert done["model_version"] == "1"
    assert (small_home.path / done["bundle"] / "detector.json").is_file()
    lines = (small_home.root.runs / "calibrated" / "metrics.jsonl").read_text().splitlines()
    numbers = [v for v in done["metrics"].values() if isinstance(v, (int, float))]
    assert len(lines) == len(numbers)
    assert "is there already" in small_flows.run("calibrate", options)["error"]
