"""What the Dockerfile copies exists, and what it installs is available."""

from __future__ import annotations

import re
import subprocess

from tests.paths import CHECKOUT

_TEXT = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")


def _sources() -> list[str]:
    lines = re.findall(r"^COPY (.+)$", _TEXT, re.MULTILINE)
    return [name for line in lines for name in line.split()[:-1]]


def test_what_is_copied_is_there_and_let_in() -> None:
    let_in = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert let_in[0] == "*"
    assert {"deepfake", "flows", "tasks", "pyproject.toml", "requirements.txt"} <= set(_sources())
    for name in _sources():
        assert (CHECKOUT / name).exists(), name
        assert f"!{name}" in let_in, name


def test_pytorch_is_taken_out_of_the_tested_versions() -> None:
    (command,) = re.findall(r"grep -E '(.+?)' requirements\.txt", _TEXT)
    found = subprocess.run(
        ["grep", "-E", command, CHECKOUT / "requirements.txt"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.partition("==")[0] for line in found.split()] == ["torch", "torchvision"]


def test_the_settings_are_those_that_the_code_reads() -> None:
    settings = re.search(r"^ENV (.+?)\n\n", _TEXT, re.MULTILINE | re.DOTALL)
    assert settings is not None
    named = dict(pair.split("=") for pair in settings[1].replace("\\", "").split())
    assert named["DEEPFAKE_CACHE"] == "/cache"
    assert named["DASK_DISTRIBUTED__WORKER__DAEMON"] == "False"
