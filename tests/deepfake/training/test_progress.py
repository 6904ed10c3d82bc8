"""How far a training is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import io
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Timer
from rich.console import Console

from deepfake.training import progress as module
from deepfake.training.progress import TrainingProgress

_SECOND = "loss 0.500, val_auc 0.800 (best 0.800), 2.0 samples/s"


class _Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def _trainer(**changes: Any) -> Any:
    state = {
        "current_epoch": 0,
        "max_epochs": 4,
        "num_training_batches": 10,
        "is_global_zero": True,
        "callback_metrics": {},
        "callbacks": [],
    }
    return SimpleNamespace(**{**state, **changes})


def _batch(count: int = 32) -> tuple[torch.Tensor, ...]:
    return (torch.zeros(count, 3, 2, 2), torch.zeros(count), torch.zeros(count))


def _train(progress: TrainingProgress, trainer: Any, clock: _Clock, *, seconds: float) -> None:
    """Train an epoch, each batch of which takes so long, and validate it."""
    for number in range(trainer.num_training_batches):
        clock.now += seconds
        outputs = {"loss": torch.tensor(0.5)}
        progress.on_train_batch_end(trainer, None, outputs, _batch(), number)
    trainer.callback_metrics["val_auc"] = torch.tensor(0.8 + trainer.current_epoch / 100)
    progress.on_validation_end(trainer)


def _lines(progress: TrainingProgress, trainer: Any, clock: _Clock, *, seconds: float) -> list[str]:
    progress.on_train_start(trainer)
    _train(progress, trainer, clock, seconds=seconds)
    trainer.current_epoch = 1
    _train(progress, trainer, clock, seconds=seconds)
    progress.on_train_end()
    console = progress._console
    assert console is not None
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def _plain(**settings: Any) -> Console:
    return Console(file=io.StringIO(), width=200, **settings)


def test_without_a_terminal_there_is_a_line_a_minute(clock: _Clock) -> None:
    progress = TrainingProgress(monitor="val_auc", console=_plain())
    lines = _lines(progress, _trainer(), clock, seconds=16.0)
    assert [line.removeprefix("train: ") for line in lines] == [
        "epoch 1/4, batch 4/10, loss 0.500, 2.0 samples/s, 0:09:36 left",
        "epoch 1/4, batch 8/10, loss 0.500, 2.0 samples/s, 0:08:32 left",
        "epoch 1/4 ended: val_auc 0.8000 (best 0.8000)",
        f"epoch 2/4, batch 2/10, {_SECOND}, 0:07:28 left",
        f"epoch 2/4, batch 6/10, {_SECOND}, 0:06:24 left",
        f"epoch 2/4, batch 10/10, {_SECOND}, 0:05:20 left",
        "epoch 2/4 ended: val_auc 0.8100 (best 0.8100)",
    ]


def test_a_terminal_has_a_bar(clock: _Clock) -> None:
    progress = TrainingProgress(monitor="val_auc", console=_plain(force_terminal=True))
    shown = "\n".join(_lines(progress, _trainer(), clock, seconds=16.0))
    assert f"epoch 2/4, batch 10/10, {_SECOND}" in shown
    assert "━" in shown
    assert "train: epoch" not in shown


def test_a_resumed_training_counts_only_its_own_time(clock: _Clock) -> None:
    progress = TrainingProgress(monitor=None, console=_plain())
    trainer = _trainer(current_epoch=2)
    progress.on_train_start(trainer)
    _train(progress, trainer, clock, seconds=61.0)
    console = progress._console
    assert console is not None
    first = console.file.getvalue().splitlines()[0]  # type: ignore[attr-defined]
    assert first.endswith("0:19:19 left"), "19 batches of 61 s"


def test_a_time_limit_that_comes_first_counts(clock: _Clock) -> None:
    timer = Timer(duration=timedelta(minutes=5))
    progress = TrainingProgress(monitor=None, console=_plain())
    trainer = _trainer(callbacks=[timer])
    progress.on_train_start(trainer)
    _train(progress, trainer, clock, seconds=61.0)
    console = progress._console
    assert console is not None
    assert "0:05:00 left" in console.file.getvalue()  # type: ignore[attr-defined]
