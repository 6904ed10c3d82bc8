"""Every option reaches its flow, every entrypoint imports."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from typer.testing import CliRunner

from deepfake.cli import app as command_line

ROOT = Path(__file__).parents[2]
_CLI = [importlib.import_module(f"deepfake.cli.{name}") for name in ("corpora", "media")]
_ONLY_IN_CLI = {"train": {"use_gpu"}, "score": {"watch"}}
_COMMANDS = [
    "ingest",
    "train",
    "sweep",
    "retrain",
    "calibrate",
    "evaluate",
    "robustness",
    "score",
]


def _command(name: str) -> Callable[..., Any]:
    (found,) = [getattr(module, name) for module in _CLI if hasattr(module, name)]
    return found  # type: ignore[no-any-return]


def _flow(name: str) -> Any:
    return getattr(importlib.import_module(f"flows.{name}"), name)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_command_and_its_flow_take_the_same(name: str) -> None:
    command = set(_parameters(_command(name))) - _ONLY_IN_CLI.get(name, set())
    assert command == set(_parameters(_flow(name).fn))


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_command_and_its_flow_have_the_same_defaults(name: str) -> None:
    command, flow = _parameters(_command(name)), _parameters(_flow(name).fn)
    for option, parameter in flow.items():
        default = command[option].default
        plain = str(default) if isinstance(default, Path) else default
        assert plain == parameter.default, option


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_command_and_its_flow_offer_the_same_choices(name: str) -> None:
    command = get_type_hints(_command(name))
    flow = get_type_hints(_flow(name).fn)
    for option, kind in flow.items():
        choices = [a for a in get_args(kind) if isinstance(a, str)]
        if option != "return" and choices:
            assert list(get_args(command[option])) == choices, option


def _invoke(monkeypatch: pytest.MonkeyPatch, runner_name: str, args: list[str]) -> dict[str, Any]:
    taken: list[dict[str, Any]] = []
    commands = importlib.import_module("deepfake.cli.commands")
    monkeypatch.setattr(commands, runner_name, taken.append)
    result = CliRunner().invoke(command_line, args)
    assert result.exit_code == 0, result.output
    (options,) = taken
    return options


@pytest.mark.parametrize("spelling", ["--batch-size", "--batch_size"])
def test_both_spellings_work(monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    options = _invoke(monkeypatch, "run_train", ["train", "--dataset", "d", spelling, "7"])
    assert options["batch_size"] == 7


@pytest.mark.parametrize("spelling", ["--use-gpu", "--use_gpu"])
def test_flags_have_both_spellings_too(monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    options = _invoke(monkeypatch, "run_train", ["train", "--dataset", "d", spelling])
    assert options["use_gpu"] is True


@pytest.mark.parametrize("name", _COMMANDS)
def test_what_is_typed_is_what_the_flow_can_be_called_with(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    needed = {
        "ingest": [".", "--corpus", "c"],
        "train": ["--dataset", "d"],
        "sweep": ["--dataset", "d"],
        "retrain": ["--dataset", "d", "--dataset", "e"],
        "calibrate": ["--dataset", "d", "--dataset", "e"],
        "evaluate": ["--dataset", "d"],
        "robustness": ["--dataset", "d", "--perturbation", "jpeg"],
        "score": [".", "--output", "o"],
    }
    options = _invoke(monkeypatch, f"run_{name}", [name, *needed[name]])
    for only in _ONLY_IN_CLI.get(name, set()):
        del options[only]
    flow = _flow(name)
    # What Prefect itself does before a run exists: names, types, ranges.
    validated = flow.validate_parameters(options)
    assert set(validated) == set(options)


def test_a_bad_value_is_wrong_usage() -> None:
    result = CliRunner().invoke(command_line, ["train", "--dataset", "d", "--epochs", "0"])
    assert result.exit_code == 2


def _deployments() -> list[dict[str, Any]]:
    told = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return list(told["deployments"])


@pytest.mark.parametrize("position", range(len(_deployments())))
def test_a_run_of_a_deployment_is_missed_when_it_dies(position: int) -> None:
    """By its tag and its heartbeats: what `flows.automations` goes by."""
    from flows.automations import TAG

    told = _deployments()[position]
    assert TAG in told["tags"]
    environment = told["work_pool"]["job_variables"]["env"]
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
    assert not place.endswith(".py") or (ROOT / place).is_file()
    flow = _entrypoint(deployment["entrypoint"])
    given = deployment.get("parameters") or {}
    taken = _parameters(flow.fn)
    assert set(given) <= set(taken)
    required = {n for n, p in taken.items() if p.default is inspect.Parameter.empty}
    assert required <= set(given), "a deployment must run with its defaults"
    flow.validate_parameters(given)
