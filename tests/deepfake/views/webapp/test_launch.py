"""How the page is started, and the settings of its process."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from deepfake.cli.app import app
from deepfake.errors import ConfigError
from deepfake.registry import MODEL_NAME
from deepfake.storage import DataRoot
from deepfake.views.report import create_report
from deepfake.views.webapp import AppSettings, page_command, page_environment
from deepfake.views.webapp.detector_choice import list_detectors
from deepfake.views.webapp.display_names import without_folder
from deepfake.views.webapp.settings import read_settings
from tests.command_line import run_deepfake
from tests.services.processes import free_port


def test_every_setting_reaches_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = AppSettings(
        weights="packaged",
        data_root=Path("/data"),
        outputs=("a", "s3://b/c"),
        max_mb=3,
        max_seconds=4.5,
        max_pixels=5,
        cpu_seconds=6,
        memory_mb=7,
        is_showing_paths=False,
    )
    for name, value in page_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert read_settings() == settings
    assert settings.media_limits.max_bytes == 3 * 2**20
    assert settings.media_limits.max_pixels == 5
    assert settings.worker_limits.memory_bytes == 7 * 2**20
    command = page_command(settings, host="127.0.0.1", port=1234)
    for option in (
        "--server.address=127.0.0.1",
        "--server.port=1234",
        "--server.maxUploadSize=3",
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    ):
        assert option in command


def test_without_streamlit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "streamlit" else find(name)
    )
    with pytest.raises(ConfigError, match="needs Streamlit") as raised:
        page_command(AppSettings(), host="127.0.0.1", port=1)
    assert "deepfake-pipeline[app]" in str(raised.value.hint)


def test_a_detector_that_is_none_is_refused_before_the_page_starts(tmp_path: Path) -> None:
    done = run_deepfake("app", "--weights", tmp_path / "none", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and str(tmp_path / "none") in done.stderr


def test_a_port_that_is_taken_and_results_that_are_not_there_are_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_deepfake("app", "--port", port, "--output", "none", cwd=tmp_path)
    assert done.returncode == 2
    assert f"error: cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "--port" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("host", "is_shown"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_paths_are_shown_where_only_this_user_can_come(
    host: str, is_shown: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[dict[str, str]] = []
    port = str(free_port())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.chdir", lambda _: None)
    monkeypatch.setattr("os.execve", lambda *arguments: started.append(arguments[2]))
    arguments = ["app", "--host", host, "--port", port, "--output", "none"]
    with patch.dict(os.environ):  # it says where Prefect's things lie
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "no finished results are in none yet" in done.output
    (environment,) = started
    assert json.loads(environment["DEEPFAKE_APP"])["is_showing_paths"] is is_shown


def test_strangers_do_not_read_the_registrys_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:secret@127.0.0.1:9")
    note = list_detectors(AppSettings(is_showing_paths=False)).note
    assert note is not None and "127.0.0.1" not in note and "secret" not in note
    labels = list_detectors(AppSettings(weights="/a/b/mine", is_showing_paths=False)).labels
    assert labels["/a/b/mine"] == "mine (named at the start)"


def test_the_packaged_detector_is_offered_and_a_store_that_is_away_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert list(list_detectors(AppSettings()).labels) == ["packaged"]
    assert list(tmp_path.iterdir()) == [], "asking made no store"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    choices = list_detectors(AppSettings(weights="mine"))
    assert list(choices.labels) == ["mine", "packaged"]
    assert choices.note is not None and "cannot be offered" in choices.note


def test_registered_versions_are_offered_the_champion_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from deepfake.registry import RegisteredVersion
    from deepfake.views.webapp import detector_choice as module

    def version(number: int, *aliases: str) -> Any:
        known: dict[str, Any] = dict.fromkeys(RegisteredVersion.__dataclass_fields__)
        return RegisteredVersion(**{**known, "version": number, "aliases": aliases, "tags": {}})

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///none.db")
    found = [version(3, "challenger"), version(2, "champion"), version(1)]
    monkeypatch.setattr(module, "list_versions", lambda uri: found)
    labels = list_detectors(AppSettings()).labels
    assert list(labels) == [*(f"models:/{MODEL_NAME}/{n}" for n in (2, 3, 1)), "packaged"]
    assert labels[f"models:/{MODEL_NAME}/2"].endswith("version 2 (champion)")


def test_strangers_read_names_and_not_where_files_lie() -> None:
    def row(uri: str, reason: str | None) -> dict[str, Any]:
        status = "ok" if reason is None else "unreadable"
        known = ("media_id", "kind", "verdict", "prob_fake", "num_faces", "num_frames")
        return {
            **dict.fromkeys((*known, "strongest_pts_seconds")),
            "uri": uri,
            "reason": reason,
            "status": status,
        }

    rows = [
        row("/home/anna/desk/a/1.png", None),
        row("/home/anna/desk/b/1.png", "cannot be opened: /home/anna/desk/b/1.png"),
    ]
    report = create_report(rows, detector="one", notes=[], reading={}, evidence=[])
    shown = without_folder(report)
    assert shown.rows.columns["uri"] == ["a/1.png", "b/1.png"]
    assert "/home" not in str((shown.rows, shown.failures))
    assert shown.failures[0]["reason"] == "cannot be opened: b/1.png"
    apart = [row("/a/1.png", None), row("/b/1.png", None)]
    report = create_report(apart, detector="one", notes=[], reading={}, evidence=[])
    assert without_folder(report).rows.columns["uri"] == ["/a/1.png", "/b/1.png"]


def test_only_results_that_were_named_or_noted_are_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from deepfake.scoring import remember_output
    from deepfake.views.webapp import results_page

    root = DataRoot(tmp_path / "data")
    for name in ("named", "noted", "neither"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"version": "x"}))
    remember_output(root, tmp_path / "noted")
    remember_output(root, tmp_path / "gone")
    settings = AppSettings(data_root=root.here, outputs=(str(tmp_path / "named"),))
    monkeypatch.setattr(results_page, "page_settings", lambda: settings)
    assert results_page.list_offered_outputs() == [str(tmp_path / "named"), str(tmp_path / "noted")]
