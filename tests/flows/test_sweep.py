"""The flow `sweep`: a search space and a corpus to the best settings."""

from __future__ import annotations

import pytest

from tests.flows.retrain_home import Flows, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


_SPACE = """
[fixed]
model = "test_efficientnet"
pretrained = "none"
input_size = 64
epochs = 1
batch_size = 8

[settings]
learning_rate = { low = 1e-4, high = 1e-2, log = true }
"""


def test_trials_are_run_and_the_best_is_kept(small_home: Home, small_flows: Flows) -> None:
    (small_home.path / "space.toml").write_text(_SPACE)
    options = {"dataset": "small", "space": "space.toml", "trials": 2, "device": "cpu"}
    done = small_flows.run("sweep", options)
    assert done["name"] == "space-small"
    assert len(done["trials"]) == 2
    assert (small_home.path / done["recipe"]).is_file()
    bundles = list((small_home.path / done["folder"] / "trials").glob("*/bundle/detector.json"))
    assert len(bundles) == 1, "only the best trial keeps its detector"
