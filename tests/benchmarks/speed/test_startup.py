"""What commands cost that have little to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.startup import cpu_seconds_of


def test_the_cost_is_of_the_process_and_all_its_children(tmp_path: Path) -> None:
    assert 0.05 < cpu_seconds_of(["--version"], cwd=tmp_path, repeats=1) < 10


def test_a_command_that_fails_costs_nothing_but_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such file or folder: nosuch"):
        cpu_seconds_of(["detect", "nosuch"], cwd=tmp_path, repeats=1)
