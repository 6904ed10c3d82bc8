"""The program that measures bulk runs measures them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ROOT
from tests.command_line import product_environment

pytestmark = pytest.mark.slow


def test_both_kinds_are_measured(tmp_path: Path) -> None:
    results = tmp_path / "bulk.json"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.speed.bulk",
            "--entries=300",
            "--real=20",
            f"--output={results}",
        ],
        cwd=ROOT,
        env=product_environment(),
        check=True,
        timeout=400,
    )
    found = json.loads(results.read_text(encoding="utf-8"))
    (entries,) = found["entries"]
    assert entries["files"] == 300
    assert entries["files_per_second"] > 0
    assert 0 <= found["real"]["overhead"] < 1
