"""Show how far a training is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from lightning.pytorch.callbacks import Callback, Timer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

__all__ = ["TrainingProgress", "print_step"]

_LINE_SECONDS = 60.0
_RATE_SECONDS = 30.0
"""Over which samples a second are counted."""


def print_step(text: str, *, is_shown: bool) -> None:
    """Print what a training does next, which may take minutes, on stderr.

    Args:
        text: What it does.
        is_shown: Whether progress is shown at all.
    """
    if is_shown:
        Console(stderr=True, markup=False, highlight=False).print(f"train: {text}", style="dim")


class TrainingProgress(Callback):  # type: ignore[misc]
    """Shows epoch, loss, validation AUC, samples a second and the time that is left.

    The time left holds for all epochs, or for the time limit where that comes first; a training
    that stops for want of progress ends earlier.

    Args:
        monitor: The metric that chooses the checkpoint; None for none.
        console: Where; else stderr.
    """

    def __init__(self, *, monitor: str | None, console: Console | None = None) -> None:
        self._monitor = monitor
        self._console = console
        self._bar: Progress | None = None
        self._best: float | None = None

    def on_train_start(self, trainer: Any, *_: Any) -> None:
        """Begin to count."""
        now = time.monotonic()
        self._began, self._line_at = now, now
        self._done_before = trainer.current_epoch * trainer.num_training_batches
        self._samples, self._since = 0, now
        self._rate: float | None = None
        if not trainer.is_global_zero:
            return
        # Made here: a callback is sent to other processes, and a bar holds locks.
        console = self._console or Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20))
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        total = trainer.max_epochs * trainer.num_training_batches
        self._row = self._bar.add_task("train", total=total, completed=self._done_before)
        self._bar.start()

    def on_train_batch_end(
        self, trainer: Any, _module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show where the training is."""
        self._samples += len(batch[0])
        if self._bar is None:
            return
        now = time.monotonic()
        if now - self._since >= _RATE_SECONDS or self._rate is None:
            self._rate = self._samples / max(now - self._since, 1e-9)
            self._samples, self._since = 0, now
        text = self._text(trainer, outputs, batch_idx)
        done = trainer.current_epoch * trainer.num_training_batches + batch_idx + 1
        self._bar.update(self._row, description=text, completed=done)
        if self._bar.disable and now - self._line_at >= _LINE_SECONDS:
            self._line_at = now
            self._print(text)

    def on_validation_end(self, trainer: Any, *_: Any) -> None:
        """Take note of the best value, and say it where there is no bar."""
        value = None if self._monitor is None else trainer.callback_metrics.get(self._monitor)
        if value is None:
            return
        self._best = max(float(value), self._best if self._best is not None else float(value))
        # The samples of the training alone count.
        self._samples, self._since = 0, time.monotonic()
        if self._bar is not None and self._bar.disable:
            epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self._print(
                f"{epoch} ended: {self._monitor} {float(value):.4f} (best {self._best:.4f})"
            )

    def on_train_end(self, *_: Any) -> None:
        """Take the bar away."""
        self._stop()

    def on_exception(self, *_: Any) -> None:
        """Take the bar away."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        assert self._bar is not None
        self._bar.console.print(f"train: {text}", markup=False, highlight=False, soft_wrap=True)

    def _text(self, trainer: Any, outputs: Any, batch_idx: int) -> str:
        parts = [
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            f"batch {batch_idx + 1}/{trainer.num_training_batches}",
            f"loss {float(outputs['loss']):.3f}",
        ]
        if self._best is not None:
            value = float(trainer.callback_metrics[self._monitor])
            parts.append(f"{self._monitor} {value:.3f} (best {self._best:.3f})")
        if self._rate is not None:
            parts.append(f"{self._rate:.1f} samples/s")
        if (left := self._seconds_left(trainer, batch_idx)) is not None:
            parts.append(f"{timedelta(seconds=round(left))} left")
        return ", ".join(parts)

    def _seconds_left(self, trainer: Any, batch_idx: int) -> float | None:
        total = trainer.max_epochs * trainer.num_training_batches
        done = trainer.current_epoch * trainer.num_training_batches + batch_idx + 1
        elapsed = time.monotonic() - self._began
        if done <= self._done_before or elapsed <= 0:
            return None
        left = float(elapsed * (total - done) / (done - self._done_before))
        limits = [c.time_remaining() for c in trainer.callbacks if isinstance(c, Timer)]
        return min([left, *(float(limit) for limit in limits if limit is not None)])
