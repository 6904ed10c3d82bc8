"""Show how far a step is: a bar on a terminal, a line a minute elsewhere, and Prefect's page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["Step", "advance", "expect", "show_step"]

_STEP_PERCENT = 10.0
_RATE_SECONDS = 120.0
"""Over which the rate is taken: videos end seldom and several at once."""

_LINE_SECONDS = 60.0


@dataclass
class _Board:
    """The step that is under way in this process."""

    label: str
    total: int
    bar: Progress
    bar_task: TaskID
    artifact: UUID | None
    done: int = 0
    shown_percent: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


_current: _Board | None = None


@dataclass
class Step:
    """The step that is running, for callers that count in totals."""

    label: str
    done: int = 0

    def reach(self, done: int) -> None:
        """Say how many are done in all."""
        advance(done - self.done, step=self.label)
        self.done = done


class _RateColumn(ProgressColumn):
    """How many a second, or a minute where they are slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min")


@contextmanager
def show_step(label: str, *, total: int) -> Iterator[Step]:
    """Show a step while it runs: a bar or a line a minute on stderr, an artifact in Prefect.

    Args:
        label: What is done.
        total: Files, or whatever is counted.

    Yields:
        The step, for whoever counts in totals.
    """
    global _current
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        speed_estimate_period=_RATE_SECONDS,
        console=console,
        disable=not console.is_terminal,
    )
    with bar, _line_a_minute(bar):
        artifact = create_progress_artifact(progress=0.0, description=label)
        artifact_id = artifact if isinstance(artifact, UUID) else None
        _current = _Board(label, total, bar, bar.add_task(label, total=total), artifact_id)
        try:
            yield Step(label)
        finally:
            _current = None
    if artifact_id is not None:
        update_progress_artifact(artifact_id=artifact_id, progress=100.0)


@contextmanager
def _line_a_minute(bar: Progress) -> Iterator[None]:
    """Print a line a minute while the block runs, where there is no terminal for a bar."""
    ended = threading.Event()

    def print_lines() -> None:
        while not ended.wait(_LINE_SECONDS):
            for step in bar.tasks:
                bar.console.print(_line_of(step), markup=False, highlight=False, soft_wrap=True)

    thread = threading.Thread(target=print_lines, name="progress", daemon=True)
    if bar.disable:
        thread.start()
    try:
        yield
    finally:
        ended.set()


def _line_of(step: Task) -> str:
    parts = [f"{step.description}: {step.completed:.0f} of {step.total or 0:.0f}"]
    if rate := _RateColumn().render(step).plain:
        parts.append(rate)
    if (seconds := step.time_remaining) is not None:
        parts.append(f"{timedelta(seconds=round(seconds))} left")
    return ", ".join(parts)


def expect(count: int) -> None:
    """Add to the number of files to be done, where it is found out on the way."""
    board = _current
    if board is None:
        return
    with board.lock:
        board.total += count
        board.bar.update(board.bar_task, total=board.total)


def advance(count: int = 1, *, step: str) -> None:
    """Count files as done; does nothing where another step is shown, or none.

    A batch that runs in another process, on a Dask cluster elsewhere, has no board and moves none:
    whoever handed it out counts it when it comes back.
    """
    board = _current
    if board is None or board.label != step:
        return
    with board.lock:
        board.done += count
        board.bar.advance(board.bar_task, count)
        percent = 100.0 * board.done / max(1, board.total)
        is_due = percent - board.shown_percent >= _STEP_PERCENT and percent < 100.0
        if is_due:
            board.shown_percent = percent
    if is_due and board.artifact is not None:
        update_progress_artifact(artifact_id=board.artifact, progress=percent)
