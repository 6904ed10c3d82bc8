"""The flow `evaluate`: a detector and a corpus to metrics."""

from __future__ import annotations

import pytest

from tests.flows.retrain_home import Flows, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_a_detector_is_measured_on_the_test_part(small_home: Home, small_flows: Flows) -> None:
    options = {"dataset": "small", "weights": "detector", "device": "cpu"}
    done = small_flows.run("evaluate", options)
    assert (done["split"], done["num_files"]) == ("test", 24)
    folder = small_home.path / done["folder"]
    names = {"report.json", "summary.md", "files.parquet", "figures"}
    assert names <= {path.name for path in folder.iterdir()}
    assert done["run_id"]
    refused = small_flows.run("evaluate", {"dataset": "absent", "weights": "detector"})
    assert "neither an ingested corpus" in refused["error"]
