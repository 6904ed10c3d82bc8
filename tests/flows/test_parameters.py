"""A bad parameter is refused before a run exists; no server is started to say so."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import run_deepfake

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:prefect.*")


@pytest.mark.parametrize(
    ("flow", "parameters", "named"),
    [
        ("ingest", {"input_path": "media", "corpus": "tiny", "frames": 0}, "frames"),
        ("ingest", {"input_path": "media", "corpus": "../tiny"}, "corpus"),
        ("ingest", {"input_path": "media", "corpus": "tiny", "layout": "other"}, "layout"),
        ("ingest", {"input_path": "media", "corpus": "tiny", "margin": 0.5}, "margin"),
        ("ingest", {"input_path": "media", "corpus": "tiny", "task_runner": "ray"}, "task_runner"),
        ("ingest", {"input_path": "media", "corpus": "tiny", "sampling": "shots"}, "sampling"),
        ("score", {"folder": "media", "output": "out", "prior": 1.0}, "prior"),
        ("score", {"folder": "media", "output": "out", "timeout_seconds": 0}, "timeout_seconds"),
        ("train", {"dataset": "tiny", "epochs": 0}, "epochs"),
        ("train", {"dataset": "tiny", "method": "swaps"}, "method"),
        ("train", {"dataset": "tiny", "sbi_share": 1.5}, "sbi_share"),
        ("evaluate", {"dataset": "tiny", "split": "everything"}, "split"),
    ],
)
def test_flow_refuses_bad_values(flow: str, parameters: dict[str, Any], named: str) -> None:
    from prefect.exceptions import ParameterTypeError

    found = getattr(importlib.import_module(f"flows.{flow}"), flow)
    with pytest.raises(ParameterTypeError, match=named):
        found.validate_parameters(parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "tiny", "--frames", "0"], "--frames"),
        (["--corpus", "tiny", "--layout", "other"], "--layout"),
        (["--corpus", "tiny", "--task-runner", "ray"], "--task-runner"),
        (["--corpus", "tiny", "--face_size", "8"], "--face-size"),
        ([], "--corpus"),
    ],
)
def test_bad_option_is_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_deepfake("ingest", ".", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def test_value_that_only_the_flow_refuses_is_wrong_usage_too(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    done = run_deepfake("ingest", "media", "--corpus", "../tiny", cwd=tmp_path)
    assert done.returncode == 2
    assert "corpus" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / ".prefect" / "prefect.db").exists()


@pytest.mark.parametrize("method", ["labels", "sbi"])
def test_share_that_the_method_has_no_use_for_is_wrong_usage(tmp_path: Path, method: str) -> None:
    (tmp_path / "d" / "real").mkdir(parents=True)
    (tmp_path / "d" / "fake").mkdir()
    options = ["--dataset", "./d", "--method", method, "--sbi-share", "0.3"]
    done = run_deepfake("train", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert "sbi_share goes with the methods mixed" in done.stderr
    assert "Traceback" not in done.stderr
