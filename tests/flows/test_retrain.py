"""Retraining as its user runs it: what is promoted, what is not, and killed on the way."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from deepfake import registry
from deepfake.errors import ConfigError
from deepfake.evaluation.promotion import Decision, read_decision
from tests.flows.retrain_home import Flows, Home, files_of, make_home, running_flows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

_WAIT_SECONDS = 1500.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    torch.set_num_threads(1)
    return make_home(tmp_path_factory.mktemp("home") / "here")


@pytest.fixture(scope="module")
def flows(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flows]:
    with running_flows(home, log=tmp_path_factory.mktemp("flows") / "log") as process:
        yield process


def _retrain(flows: Flows, home: Home, corpus: str, *, name: str, **more: Any) -> dict[str, Any]:
    return flows.run("retrain", {**home.options(corpus, name=name), **more})


def _decision(home: Home, name: str) -> Decision:
    (path,) = home.root.runs.glob(f"retrain-{name}-*/decision/decision.json")
    return read_decision(path)


def _client(home: Home) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=home.uri)


def _numbers(home: Home, name: str) -> list[int]:
    return [v.version for v in registry.list_versions(name, uri=home.uri)]


def test_a_better_challenger_is_promoted_and_all_of_it_is_on_record(
    home: Home, flows: Flows
) -> None:
    home.crown("better", "noise")
    done = _retrain(flows, home, "good", name="better")
    assert (done["outcome"], done["alias"], done["model_version"]) == ("promoted", "champion", 2)
    assert home.aliases("better") == {"champion": 2}
    decision = _decision(home, "better")
    assert {check.state for check in decision.checks} == {"passed"}
    assert decision.num_looks == done["num_looks"] == 1
    assert decision.parts[0].difference is not None and decision.parts[0].difference > 0.1
    assert {s.slice for s in decision.slices} >= {"method grid", "method stripes"}
    newest = registry.list_versions("better", uri=home.uri)[0]
    assert newest.tags["decision"] == "promoted"
    assert newest.tags["data.good"] == decision.data_digests["good"]
    assert newest.tags["promote.who"] == "retrain"
    run = _client(home).get_run(newest.tags["decision.run_id"])
    assert run.data.tags["outcome"] == "promoted"
    assert run.data.tags["mlflow.parentRunId"] == newest.run_id
    assert run.data.metrics["held_out_looks"] == 1
    assert run.data.metrics["auc_difference_low"] > 0
    assert "# The challenger becomes champion." in run.data.tags["mlflow.note.content"]
    page = next(home.root.runs.glob("retrain-better-*/decision/decision.md")).read_text()
    assert "| gain | yes |" in page and page == done["markdown"]

    # The same data, the same settings: there is nothing to try.
    again = _retrain(flows, home, "good", name="better")
    assert again["outcome"] == "nothing_new"
    assert _numbers(home, "better") == [2, 1]

    # Rolled back by a person, it is not promoted by a machine on the same evidence.
    home.command("models", "rollback", "--name", "better", "--reason", "false alarms")
    assert home.aliases("better") == {"champion": 1}
    again = _retrain(flows, home, "good", name="better")
    assert (again["outcome"], again["alias"]) == ("promoted", "challenger")
    notes = " ".join(again["notes"])
    assert "was rolled back from" in notes and "nothing has changed since" in notes
    assert home.aliases("better") == {"champion": 1, "challenger": 2}
    assert _numbers(home, "better") == [2, 1]


def test_a_challenger_that_learnt_noise_is_not_promoted(home: Home, flows: Flows) -> None:
    home.crown("noisy", "good")
    done = _retrain(flows, home, "noise", name="noisy")
    assert done["outcome"] == "kept"
    assert any("worse by more than 0.05" in reason for reason in done["reasons"])
    assert home.aliases("noisy") == {"champion": 1, "challenger": 2}
    shown = home.command("models", "show", "challenger", "--name", "noisy")
    assert "decision: kept" in shown and "promote version 1 by the test: to begin with" in shown
    listed = home.command("models", "list", "--name", "noisy")
    assert "challenger" in listed and "noise" in listed
    compared = home.command("models", "compare", "champion", "2", "--name", "noisy")
    assert "test_efficientnet at 64 px" in compared and "val_auc" in compared


def test_better_on_average_and_worse_on_one_method_is_not_promoted(
    home: Home, flows: Flows
) -> None:
    # Who learns that stripes are real finds every grid, and no stripes.
    striped = [
        replace(file, label="real", method="original")
        for file in files_of("train", stripes=24) + files_of("val", stripes=80)
    ]
    learnt = files_of("train", real=8, grid=24) + files_of("val", real=20, grid=80)
    home.write("misled", learnt + striped, seed=3)
    home.crown("one-sided", "noise")
    done = _retrain(flows, home, "misled", name="one-sided")
    states = {check.name: check.state for check in _decision(home, "one-sided").checks}
    assert states["gain"] == "passed", done["markdown"]
    assert states["regression"] == "failed"
    assert "method stripes of held-out set newsdesk" in " ".join(done["reasons"])
    assert home.aliases("one-sided") == {"champion": 1, "challenger": 2}


def test_without_a_held_out_set_nothing_is_promoted_by_itself(home: Home, flows: Flows) -> None:
    home.crown("blind", "noise")
    tested = files_of("test", real=20, grid=20)
    home.write("full", files_of("train", real=24, grid=24) + tested, seed=4)
    done = _retrain(flows, home, "full", name="blind", policy="default")
    assert done["outcome"] == "no_held_out_set"
    assert home.aliases("blind") == {"champion": 1, "challenger": 2}
    assert [part.name for part in _decision(home, "blind").parts] == ["full, test"] * 2
    # A person who looked at it may decide otherwise, and says why.
    promotion = ("models", "promote", "challenger", "--name", "blind")
    with pytest.raises(ConfigError, match="needs a reason"):
        home.command(*promotion)
    home.command(*promotion, "--reason", "looked at it")
    assert home.aliases("blind") == {"champion": 2}


def test_a_retraining_that_cannot_begin_registers_nothing(home: Home, flows: Flows) -> None:
    done = flows.run("retrain", {"dataset": ["nosuch"], "name": "unasked"})
    assert "neither an ingested corpus" in done["error"]
    assert registry.list_versions("unasked", uri=home.uri) == []


def test_held_out_files_are_not_learnt_from(home: Home, flows: Flows) -> None:
    files = files_of("train", real=8, grid=8) + files_of("test", real=2, grid=2)
    home.write("leaky", files)
    printed = home.command(
        "held-out", "freeze", "leaky-all", "--dataset", "leaky", "--split", "all"
    )
    assert "20 media of 20 groups, all of leaky" in printed
    home.crown("leaky", "good")
    done = _retrain(flows, home, "leaky", name="leaky")
    assert "belong to the held-out set 'leaky-all'" in done["error"]
    done = flows.run("train", {"dataset": "leaky", "recipe": "tiny.toml"})
    assert "belong to the held-out set 'leaky-all'" in done["error"]
    assert not list(home.root.runs.glob("retrain-leaky-*"))
    assert "leaky-all" in home.command("held-out", "list")


def _kill(flows: Flows) -> None:
    family = psutil.Process(flows.process.pid).children(recursive=True)
    os.killpg(flows.process.pid, signal.SIGKILL)
    flows.process.wait()
    for child in family:
        child.kill()


def test_killed_in_training_it_goes_on_from_its_last_checkpoint(
    home: Home, flows: Flows, tmp_path: Path
) -> None:
    home.crown("killed", "noise")
    options = {**home.options("good", name="killed"), "epochs": 8}

    def epochs() -> list[int]:
        found = list(home.root.runs.glob("retrain-killed-*/metrics.jsonl"))
        lines = found[0].read_text().splitlines(keepends=True) if found else []
        written = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line["epoch"] for line in written if line["name"] == "train_loss"]

    with running_flows(home, log=tmp_path / "log") as doomed:
        doomed.begin("retrain", options)
        deadline = time.monotonic() + _WAIT_SECONDS
        while len(epochs()) < 3 and doomed.process.poll() is None:
            assert time.monotonic() < deadline, doomed.log.read_text()
            time.sleep(0.02)
        _kill(doomed)
    before = epochs()
    assert 3 <= len(before) < 8, "it was over before it could be killed"
    assert _numbers(home, "killed") == [1]
    assert home.aliases("killed") == {"champion": 1}
    assert not list(home.root.runs.glob("retrain-killed-*/decision"))

    done = _retrain(flows, home, "good", name="killed", epochs=8)
    assert epochs()[: len(before)] == before
    counts = Counter(epochs())
    assert set(counts) == set(range(8))
    # All but the epoch in which it was killed were done once.
    assert sum(counts.values()) <= 8 + 1
    assert done["model_version"] == 2
    experiment = _client(home).get_experiment_by_name("deepfake").experiment_id
    runs = _client(home).search_runs([experiment], filter_string="tags.stage = 'train'")
    mine = [run for run in runs if run.info.run_name.startswith("retrain-killed-")]
    assert [run.info.status for run in mine] == ["FINISHED"]
    assert len(_client(home).get_metric_history(mine[0].info.run_id, "train_loss")) == 8


@pytest.mark.parametrize("step", ["register", "assign_alias"])
def test_killed_after_training_nothing_is_half_done(
    home: Home, flows: Flows, tmp_path: Path, step: str
) -> None:
    name = f"cut-{step}"
    home.crown(name, "noise")
    cut = f"import os, tasks.retrain; tasks.retrain.{step} = lambda *_, **__: os._exit(9)"
    with running_flows(home, log=tmp_path / "log") as doomed:
        doomed.begin("retrain", home.options("good", name=name), before=cut)
        assert doomed.process.wait(_WAIT_SECONDS) == 9, doomed.log.read_text()
    assert _numbers(home, name) == ([2, 1] if step == "assign_alias" else [1])
    assert home.aliases(name) == {"champion": 1}, "nobody scores with it yet"
    (bundle,) = home.root.runs.glob(f"retrain-{name}-*/bundle/detector.json")
    made = bundle.read_bytes()

    done = _retrain(flows, home, "good", name=name)
    assert "nothing has changed since" in " ".join(done["notes"])
    assert bundle.read_bytes() == made
    assert _numbers(home, name) == [2, 1]
    assert home.aliases(name) == {"champion": 2}
