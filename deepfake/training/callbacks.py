"""Create the callbacks of a run: checkpoints, early stopping, weight averaging, CPU budget."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import psutil
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
)

from deepfake.training.progress import TrainingProgress

__all__ = [
    "BEST_CHECKPOINT",
    "LAST_CHECKPOINT",
    "create_callbacks",
]

BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"


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
        show_progress: Whether to show on stderr how far it is.
    """
    last = ModelCheckpoint(
        dirpath=folder,
        filename=Path(LAST_CHECKPOINT).stem,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [TrainingProgress(monitor=monitor)] if show_progress else []
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
    """Stop training once its processes and their children have used a budget of CPU seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = 0.0

    def on_train_start(self, *_: Any) -> None:
        self._began = _cpu_seconds()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        used = torch.tensor(_cpu_seconds() - self._began, dtype=torch.float64)
        # All processes of a distributed training stop after the same batch.
        if float(trainer.strategy.reduce(used, reduce_op="sum")) > self._seconds:
            trainer.should_stop = True


def _cpu_seconds() -> float:
    own = psutil.Process()
    seconds = 0.0
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds
