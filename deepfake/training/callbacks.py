"""What happens beside the training itself: metrics to a file, checkpoints, stopping."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from deepfake.storage import write_text

__all__ = [
    "BEST_CHECKPOINT",
    "LAST_CHECKPOINT",
    "MetricsFile",
    "create_callbacks",
    "drop_cut_line",
    "read_metrics",
]

BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"


class MetricsFile(Logger):  # type: ignore[misc]
    """Appends every metric to a JSON-lines file, so that a tracker that is down loses nothing.

    A line: `{"epoch", "step", "name", "value", "timestamp"}`; `value` is null where it is not
    finite, `timestamp` is seconds since 1970. A resumed run appends; of equal epochs the later line
    holds.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return self.path.stem

    @property
    def version(self) -> None:
        """There is one; a number would stand in the progress bar."""
        return None

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one line a metric and hand them to the operating system at once."""
        values = dict(metrics)
        epoch = values.pop("epoch", None)
        lines = [
            {
                "epoch": None if epoch is None else int(epoch),
                "step": step,
                "name": name,
                "value": float(value) if math.isfinite(float(value)) else None,
                "timestamp": time.time(),
            }
            for name, value in sorted(values.items())
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's configuration is written before training starts."""


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics file; a last line that was cut short is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def create_callbacks(
    folder: Path,
    *,
    monitor: str | None,
    patience: int,
    weight_average: float,
    max_cpu_minutes: float | None = None,
    show_progress: bool,
) -> list[Callback]:
    """Return the callbacks of a run.

    Args:
        folder: Where checkpoints go.
        monitor: The metric that chooses the checkpoint and stops the run; None for neither.
        patience: Epochs without a better one before training stops.
        weight_average: Decay, a step, of the average of weights that is validated; 0 for none.
        max_cpu_minutes: Of all cores together, after which training ends; None for no end.
        show_progress: Whether to draw a bar on stderr.
    """
    last = ModelCheckpoint(
        dirpath=folder,
        filename=Path(LAST_CHECKPOINT).stem,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [TQDMProgressBar(leave=True)] if show_progress else []
    if max_cpu_minutes is not None:
        callbacks.append(_CpuBudget(60 * max_cpu_minutes))
    if weight_average:
        # Statistics of normalisation are averaged with the weights that they belong to.
        callbacks.append(EMAWeightAveraging(decay=weight_average, use_buffers=True))
    if monitor is not None:
        best = ModelCheckpoint(
            dirpath=folder,
            filename=Path(BEST_CHECKPOINT).stem,
            monitor=monitor,
            mode="max",
            # Whole: without the callbacks' part Lightning writes the weights of the moment, not
            # the average that was validated.
            enable_version_counter=False,
        )
        # Before `last`, so that its state is in the file that a run is resumed from.
        callbacks += [EarlyStopping(monitor=monitor, mode="max", patience=patience), best]
    return [*callbacks, last]


class _CpuBudget(Callback):  # type: ignore[misc]
    """Ends training once this process and its children have used so many CPU seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = 0.0

    def on_train_start(self, *_: Any) -> None:
        self._began = _cpu_seconds()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if _cpu_seconds() - self._began > self._seconds:
            trainer.should_stop = True


def _cpu_seconds() -> float:
    own = psutil.Process()
    seconds = 0.0
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def drop_cut_line(path: Path) -> None:
    """Remove a last line that was cut short, so that what is appended begins a line of its own."""
    if not path.is_file():
        return
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        write_text(path, whole.decode())
