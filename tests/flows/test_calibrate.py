"""The flow `calibrate`: a detector and `val` parts to a calibrated detector."""

from __future__ import annotations

import pytest

from deepfake.registry import list_versions
from tests.flows.retrain_home import Flows, Home, files_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_detector_is_calibrated_on_val_and_registered(
    small_home: Home, small_flows: Flows
) -> None:
    # Half of `val` calibrates, 20 files of each class are needed there.
    small_home.write("enough", files_of("val", real=60, grid=60), seed=4)
    options = {
        "dataset": ["enough"],
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
    assert "already exists" in small_flows.run("calibrate", options)["error"]


def test_nothing_is_registered_where_nothing_could_be_fitted(
    small_home: Home, small_flows: Flows
) -> None:
    small_home.write("few", files_of("val", real=17, grid=17), seed=3)
    options = {"dataset": ["few"], "weights": "detector", "device": "cpu", "name": "unfitted"}
    done = small_flows.run("calibrate", options)
    assert "nothing can be calibrated" in done["error"]
    assert list_versions("unfitted", uri=small_home.uri) == []
    assert not list(small_home.root.runs.glob("calibrate-*"))
