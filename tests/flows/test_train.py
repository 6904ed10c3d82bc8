"""The flow `train`: a corpus to a registered detector."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.retrain_home import Flows, Home

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
    assert "already exists" in again["error"]


_CUT = """
import deepfake.training.train as cut
from deepfake.errors import ModelError
def raise_error(*_, **__): raise ModelError("cut off")
whole = cut.calibrate_bundle
cut.calibrate_bundle = raise_error
"""


def test_a_resumed_training_is_one_run_with_its_first_half(
    small_home: Home, small_flows: Flows
) -> None:
    from mlflow import MlflowClient

    options = {
        "dataset": "small",
        "recipe": "tiny.toml",
        "device": "cpu",
        "name": "small-two",
        "run_name": "halves",
    }
    small_flows.begin("train", options, before=_CUT)
    assert "cut off" in small_flows.result()["error"]
    resumed = {**options, "resume": True}
    small_flows.begin("train", resumed, before="cut.calibrate_bundle = whole")
    done = small_flows.result()
    client = MlflowClient(tracking_uri=small_home.uri)
    experiment = client.get_experiment_by_name("deepfake").experiment_id
    found = client.search_runs([experiment], filter_string="attributes.run_name = 'halves'")
    assert [run.info.run_id for run in found] == [done["run_id"]]
    assert found[0].info.status == "FINISHED"
    (used,) = found[0].inputs.dataset_inputs
    assert used.dataset.name == "small"
    assert found[0].data.tags["mlflow.source.name"] == "deepfake train"
