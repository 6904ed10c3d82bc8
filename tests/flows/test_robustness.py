"""The flow `robustness`: a detector and a corpus to metrics on degraded media."""

from __future__ import annotations

import pytest

from tests.flows.retrain_home import Flows, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_detector_is_measured_under_each_condition(small_home: Home, small_flows: Flows) -> None:
    options = {
        "dataset": "media",
        "weights": "detector",
        "device": "cpu",
        "num_workers": 1,
        "perturbations": ["jpeg:20"],
    }
    done = small_flows.run("robustness", options)
    assert [row["name"] for row in done["conditions"]] == ["clean", "jpeg"]
    assert {row["n"] for row in done["conditions"]} == {done["num_files"]}
    folder = small_home.path / done["folder"]
    assert (folder / "files.parquet").is_file()
    assert (folder / "figures" / "robustness.png").is_file()
