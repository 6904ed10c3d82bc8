"""What a trial tells of its epochs, and the end of one that lags behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch.callbacks import Callback

from deepfake.errors import ConfigError

__all__ = ["GivenUpError", "TrialWatch"]


class GivenUpError(Exception):
    """A trial lags behind and is not trained to its end."""


class TrialWatch(Callback):  # type: ignore[misc]
    """Reports the metric that chooses checkpoints after each epoch, and ends what lags behind.

    Args:
        lags: Takes an epoch and its value, says whether the trial is to be given up.
    """

    def __init__(self, lags: Callable[[int, float], bool]) -> None:
        self._lags = lags
        self.metric: str | None = None
        self.best: float | None = None

    def on_fit_start(self, trainer: Any, *_: Any) -> None:
        """Find out what chooses.

        Raises:
            ConfigError: Nothing does.
        """
        chooser = trainer.early_stopping_callback
        if chooser is None:
            raise ConfigError(
                "nothing tells trials apart: the half of `val` that would choose lacks a class",
                hint="A sweep needs reals and fakes in `val`, or a method that blends its own.",
            )
        self.metric = str(chooser.monitor)

    def on_validation_end(self, trainer: Any, *_: Any) -> None:
        """Report an epoch.

        Raises:
            GivenUpError: The trial lags behind.
        """
        value = float(trainer.callback_metrics[self.metric])
        self.best = value if self.best is None else max(self.best, value)
        if self._lags(int(trainer.current_epoch), value):
            raise GivenUpError(f"{self.metric} {value:.4f} in epoch {trainer.current_epoch}")
