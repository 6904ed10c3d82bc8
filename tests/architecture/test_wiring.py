"""Commands take their options to their flows, and every entrypoint of `prefect.yaml` imports."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deepfake.cli import app as command_line
from deepfake.config.options import Options, flow_parameters
from tests.paths import CHECKOUT

_NEEDED = {
    "ingest": [".", "--corpus", "c"],
    "train": ["--dataset", "d"],
    "sweep": ["--dataset", "d"],
    "retrain": ["--dataset", "d", "--dataset", "e"],
    "calibrate": ["--dataset", "d", "--dataset", "e"],
    "evaluate": ["--dataset", "d"],
    "robustness": ["--dataset", "d", "--perturbation", "jpeg"],
    "score": [".", "--output", "o"],
}
"""What each command that runs a flow cannot do without."""


def _flow(name: str) -> Any:
    return getattr(importlib.import_module(f"flows.{name}"), name)


def _typed(monkeypatch: pytest.MonkeyPatch, name: str, *more: str) -> Options:
    """Return the options that a command hands on."""
    taken: list[Options] = []
    module = importlib.import_module(f"deepfake.cli.{name}")
    monkeypatch.setattr(module, f"run_{name}", taken.append)
    monkeypatch.setattr("deepfake.cli.options.check_options", lambda *_: None)  # made-up names
    result = CliRunner().invoke(command_line, [name, *_NEEDED[name], *more])
    assert result.exit_code == 0, result.output
    (options,) = taken
    return options


@pytest.mark.parametrize("spelling", ["--batch-size", "--batch_size"])
def test_both_spellings_work(monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    options = _typed(monkeypatch, "train", spelling, "7")
    assert options.batch_size == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize("spelling", ["--use-gpu", "--use_gpu"])
def test_flags_have_both_spellings_too(monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    options = _typed(monkeypatch, "train", spelling)
    assert options.use_gpu is True  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", _NEEDED)
def test_the_flow_takes_what_its_command_hands_on(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    parameters = flow_parameters(_typed(monkeypatch, name))
    # What Prefect itself does before a run exists: names, types, ranges.
    assert _flow(name).validate_parameters(parameters) == parameters


@pytest.mark.parametrize("option", ["--held-out", "--benchmark"])
def test_held_out_sets_go_by_their_former_name_too(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    parameters = flow_parameters(_typed(monkeypatch, "retrain", option, "newsdesk"))
    assert _flow("retrain").validate_parameters(parameters) == parameters
    assert "newsdesk" in (parameters["held_out"], parameters["benchmark"])


@pytest.mark.parametrize("group", ["held-out", "benchmark"])
def test_the_group_of_held_out_sets_goes_by_its_former_name_too(group: str, tmp_path: Path) -> None:
    asked = [group, "list", "--data-root", str(tmp_path)]
    result = CliRunner().invoke(command_line, asked, catch_exceptions=False)
    assert result.exit_code == 0
    assert "no held-out set; `deepfake held-out freeze" in result.output


@pytest.mark.parametrize("asked", [["--help"], ["retrain", "--help"]])
def test_former_names_are_not_in_the_help(asked: list[str]) -> None:
    shown = CliRunner().invoke(command_line, asked).output
    assert "held-out" in shown
    assert "benchmark" not in shown


def test_a_bad_value_is_wrong_usage() -> None:
    result = CliRunner().invoke(command_line, ["train", "--dataset", "d", "--epochs", "0"])
    assert result.exit_code == 2


def _deployments() -> list[dict[str, Any]]:
    described = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text(encoding="utf-8"))
    return list(described["deployments"])


@pytest.mark.parametrize("position", range(len(_deployments())))
def test_a_run_of_a_deployment_is_missed_when_it_dies(position: int) -> None:
    """By its tag and its heartbeats: what `flows.server.automations` goes by."""
    from flows.server.automations import TAG

    deployment = _deployments()[position]
    assert TAG in deployment["tags"]
    environment = deployment["work_pool"]["job_variables"]["env"]
    assert environment == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}


def test_the_deployments_are_there() -> None:
    names = {(_entrypoint(d["entrypoint"]).name, d["name"]) for d in _deployments()}
    expected = {"ingest", "train", "calibrate", "evaluate", "robustness", "score", "retrain"}
    assert {(name, "local") for name in expected} <= names


def _entrypoint(text: str) -> Any:
    place, name = text.split(":")
    module = place.removesuffix(".py").replace("/", ".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("position", range(len(_deployments())))
def test_an_entrypoint_imports_and_takes_its_parameters(position: int) -> None:
    deployment = _deployments()[position]
    place = deployment["entrypoint"].split(":")[0]
    assert not place.endswith(".py") or (CHECKOUT / place).is_file()
    flow = _entrypoint(deployment["entrypoint"])
    given = deployment.get("parameters") or {}
    taken = inspect.signature(flow.fn).parameters
    assert set(given) <= set(taken)
    # What else a run takes is the default of its command.
    assert set(given) == {"data_root"}
