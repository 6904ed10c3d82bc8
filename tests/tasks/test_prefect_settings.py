"""No file of the working folder sets Prefect up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import product_environment
from tests.paths import CHECKOUT

_ADDRESS = "http://127.0.0.1:9/api"
_FILES = {
    ".env": f"PREFECT_API_URL={_ADDRESS}\n",
    "prefect.toml": f'[api]\nurl = "{_ADDRESS}"\n',
    "pyproject.toml": f'[tool.prefect.api]\nurl = "{_ADDRESS}"\n',
}
_PROFILE = f'active = "own"\n[profiles.own]\nPREFECT_API_URL = "{_ADDRESS}"\n'
_ASK = "from prefect.settings import get_current_settings as get; print(get().api.url)"


def _api_url(folder: Path, *, before: str = "", **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", f"{before}\nimport tasks\n{_ASK}"],
        cwd=folder,
        env=product_environment(
            PYTHONPATH=str(CHECKOUT), PREFECT_HOME=str(folder / "home"), **environment
        ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", _FILES)
def test_a_file_of_the_working_folder_names_no_server(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(_FILES[name])
    assert _api_url(tmp_path) == "None"


@pytest.mark.parametrize("name", _FILES)
def test_a_file_of_the_working_folder_names_no_profile(tmp_path: Path, name: str) -> None:
    (tmp_path / "own.toml").write_text(_PROFILE)
    texts = {
        ".env": "PREFECT_PROFILES_PATH=own.toml",
        "prefect.toml": 'profiles_path = "own.toml"',
        "pyproject.toml": '[tool.prefect]\nprofiles_path = "own.toml"',
    }
    (tmp_path / name).write_text(texts[name])
    assert _api_url(tmp_path) == "None"


def test_it_holds_too_where_prefect_was_imported_before(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(_FILES[".env"])
    refresh = "from prefect.context import refresh_global_settings_context as again; again()"
    before = f"import prefect.main\nimport tasks\n{refresh}"
    assert _api_url(tmp_path, before=before) == "None"


def test_a_file_that_is_no_settings_file_is_not_even_parsed(tmp_path: Path) -> None:
    for name in _FILES:
        (tmp_path / name).write_bytes(b"\xff = [")
    assert _api_url(tmp_path) == "None"


def test_the_environment_and_a_profile_that_it_names_count(tmp_path: Path) -> None:
    assert _api_url(tmp_path, PREFECT_API_URL=_ADDRESS) == _ADDRESS
    (tmp_path / "own.toml").write_text(_PROFILE)
    assert _api_url(tmp_path, PREFECT_PROFILES_PATH=os.fspath(tmp_path / "own.toml")) == _ADDRESS
