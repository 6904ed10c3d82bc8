"""Commands in an odd environment: closed streams, no width, no user, strangers' files around."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deepfake.cli import process_environment
from tests.command_line import product_environment
from tests.paths import CHECKOUT


def _run(
    *arguments: str,
    cwd: Path,
    is_safe: bool = True,
    before: Callable[[], None] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    flags = ["-P"] if is_safe else []
    return subprocess.run(
        [sys.executable, *flags, "-m", "deepfake", *arguments],
        cwd=cwd,
        env=product_environment(PYTHONPATH=str(CHECKOUT), **environment),
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("columns", ["0", "-3", "many", "", "000", "99999999999"])
def test_no_width_of_the_terminal_silences_a_command(tmp_path: Path, columns: str) -> None:
    done = _run("models", "--help", cwd=tmp_path, COLUMNS=columns, LINES=columns)
    assert "Usage" in done.stdout, done.stderr


@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_are_as_streams_to_nowhere(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    def close() -> None:
        for number in numbers:
            os.close(number)

    done = _run("--version", cwd=tmp_path, before=close)
    assert done.returncode == 0, done.stderr


def test_a_data_root_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    media = tmp_path / "in"
    media.mkdir()
    done = _run("score", "in", "--output", "out", "--weights", "packaged", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--data-root" in done.stderr


def test_a_user_without_name_and_home_gets_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    process_environment._name_user()
    assert os.environ["LOGNAME"] == f"uid-{os.getuid()}"
    home = Path(os.environ["HOME"])
    assert home.is_dir()
    assert os.access(home, os.W_OK)
    monkeypatch.delenv("LOGNAME")
    monkeypatch.delenv("HOME")


def test_a_user_with_a_name_keeps_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    process_environment._name_user()
    assert dict(os.environ) == before


def test_a_home_of_somebody_else_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_environment.tempfile, "gettempdir", lambda: str(tmp_path))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / f"deepfake-home-{os.getuid()}").symlink_to(theirs)
    assert process_environment._private_folder() not in (theirs, tmp_path)


_SHADOWS = ("random", "logging", "numpy", "prefect", "mlflow", "multiprocessing", "uuid", "json")


@pytest.mark.parametrize("is_safe", [True, False], ids=["installed command", "python -m"])
def test_nothing_in_the_working_folder_is_imported(tmp_path: Path, is_safe: bool) -> None:
    names = _SHADOWS if is_safe else ("prefect", "mlflow", "streamlit", "optuna", "cv2", "torch")
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"open('was-run-{name}', 'w').close()\n")
    (tmp_path / "a.jpg").write_bytes((CHECKOUT / "docs/images/demo-faces.jpg").read_bytes())
    done = _run("detect", "a.jpg", "--weights", "packaged", cwd=tmp_path, is_safe=is_safe)
    assert not list(tmp_path.glob("was-run-*")), done.stderr
    assert done.returncode == 0, done.stderr
