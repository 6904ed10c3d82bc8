"""Report a trial's epochs, and stop it when it falls behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch.callbacks import Callback

from deepfake.errors import ConfigError

__all__ = ["GivenUpError", "TrialWatch"]


class GivenUpError(Exception):
    """A trial fell behind and was stopped."""


class TrialWatch(Callback):  # type: ignore[misc]
    """Report the choosing metric after each epoch, and stop a trial that falls behind.

    Args:
        lags: Takes an epoch and its value, says whether the trial is to be given up.
    """

    def __init__(self, lags: Callable[[int, float], bool]) -> None:
        self._lags = lags
        self.metric: str | None = None
        self.best: float | None = None

    def on_fit_start(self, trainer: Any, *_: Any) -> None:
        """Find the choosing metric.

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
