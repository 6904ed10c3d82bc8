"""The bar on the terminal: how many a second, or a minute, and how long it will still take."""

from __future__ import annotations

import time

import pytest
from rich.progress import Progress

from tasks import progress
from tasks.progress import _RATE_SECONDS, _RateColumn, advance, show_step


def _shown(*, done: int, seconds: float) -> str:
    now = 0.0
    bar = Progress(
        _RateColumn(),
        get_time=lambda: now,
        speed_estimate_period=_RATE_SECONDS,
        disable=True,
    )
    task = bar.add_task("score", total=100)
    bar.advance(task, 0)
    for _ in range(done):
        now += seconds / done
        bar.advance(task, 1)
    return _RateColumn().render(bar.tasks[0]).plain


def test_the_rate_is_shown_in_the_unit_that_suits_it() -> None:
    assert _shown(done=20, seconds=4.0) == "5.0/s"
    assert _shown(done=3, seconds=18.0) == "10.0/min"
    assert _shown(done=2, seconds=120.0) == "1.0/min"


def test_without_anything_done_there_is_no_rate() -> None:
    bar = Progress(_RateColumn(), disable=True)
    bar.add_task("score", total=0)
    assert _RateColumn().render(bar.tasks[0]).plain == ""


def test_without_a_terminal_there_are_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.2)
    monkeypatch.setattr(progress, "create_progress_artifact", lambda **_: None)
    with show_step("calibrate", total=8):
        advance(2, step="calibrate")
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("calibrate: 2 of 8") for line in lines)
