"""Each fuzzer runs, reaches its code, and finds nothing in a few seconds."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import product_environment
from tests.paths import CHECKOUT

_FUZZERS = ["bundles", "corpora", "manifests", "media", "parts", "receipts", "shards", "states"]
_SECONDS = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is missing"),
]


def _run(name: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"fuzz.{name}", folder, *options],
        cwd=CHECKOUT,
        env=product_environment(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("name", _FUZZERS)
def test_nothing_is_found_in_some_seconds(name: str, tmp_path: Path) -> None:
    done = _run(name, tmp_path, f"-max_total_time={_SECONDS}")
    assert done.returncode == 0, done.stderr[-4000:]
    assert list(tmp_path.glob("found-*")) == []
    runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert runs is not None and int(runs[1]) > 100
    # Whole files are read, and not only refused.
    covered = [int(count) for count in re.findall(r" cov: (\d+) ", done.stderr)]
    assert max(covered) > 20


def test_every_fuzzer_is_run() -> None:
    folder = CHECKOUT / "fuzz"
    programs = {p.stem for p in folder.glob("*.py") if "def main" in p.read_text(encoding="utf-8")}
    assert programs == set(_FUZZERS)
    made = (folder.parent / "Makefile").read_text(encoding="utf-8")
    assert all(f" {name}" in made for name in _FUZZERS)


@pytest.mark.parametrize(
    "order",
    [
        "open('/etc/hostname').close()",
        "import pickle; pickle.loads(pickle.dumps(__import__('pathlib').Path('x')))",
        "import socket; socket.socket().connect_ex(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "raise ValueError('not of this project')",
    ],
)
def test_a_fuzzer_would_see_it(tmp_path: Path, order: str) -> None:
    """Or else that it finds nothing would prove nothing."""
    program = (
        "import sys\n"
        "from fuzz.harness import fuzz\n"
        f"sys.argv[1:] = [{str(tmp_path)!r}, '-runs=3']\n"
        f"fuzz('tried', lambda folder, data: exec({order!r}), {{'seed': b'seed'}})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "Uncaught Python exception" in done.stdout + done.stderr
