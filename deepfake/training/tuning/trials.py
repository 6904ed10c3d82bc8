"""Train with the settings of a trial, and say what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deepfake.corpora.shards import Snapshot
from deepfake.errors import ModelError
from deepfake.training.train import train_detector
from deepfake.training.tuning.pruner import GivenUpError, TrialWatch
from deepfake.training.tuning.study import Trial, TuningStudy

__all__ = ["TrialOutcome", "record_trial", "train_trial"]


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What came of a trial.

    Attributes:
        state: How it ended.
        metric: Name of what it was chosen by; None where no epoch ended.
        value: The best of its epochs.
        metrics: As in the bundle; empty where there is none.
        message: Why it failed.
    """

    state: Literal["complete", "pruned", "failed"]
    metric: str | None
    value: float | None
    metrics: dict[str, Any]
    message: str | None = None

    @property
    def has_failed(self) -> bool:
        """Whether there is nothing to rank it by, although it was not pruned."""
        return self.state == "failed" or (self.state == "complete" and self.value is None)


def train_trial(
    study: TuningStudy, trial: Trial, *, snapshot: Snapshot, run_dir: Path, name: str, device: str
) -> TrialOutcome:
    """Train with the settings of a trial, until it ends or falls behind.

    Args:
        study: The trials before it.
        trial: Its settings.
        snapshot: What is trained on.
        run_dir: The folder of its run.
        name: Of the detector.
        device: Where.
    """
    watch = TrialWatch(lambda epoch, value: study.report(trial.number, epoch=epoch, value=value))
    try:
        result = train_detector(
            snapshots=[snapshot],
            config=trial.config,
            run_dir=run_dir,
            name=name,
            device=device,
            callbacks=[watch],
        )
    except GivenUpError as error:
        return TrialOutcome("pruned", watch.metric, watch.best, {}, str(error))
    except ModelError as error:
        return TrialOutcome("failed", watch.metric, watch.best, {}, error.message)
    return TrialOutcome("complete", watch.metric, watch.best, dict(result.metrics))


def record_trial(study: TuningStudy, trial: Trial, outcome: TrialOutcome) -> None:
    """Record what came of a trial; only the best one so far keeps its bundle.

    Args:
        study: The trials before it.
        trial: Its settings.
        outcome: How it ended.
    """
    before = study.best()
    if outcome.state == "pruned":
        study.prune(trial.number)
    elif outcome.state == "failed" or outcome.value is None:
        study.fail(trial.number)
    else:
        study.complete(trial.number, value=outcome.value, metric=str(outcome.metric))
    study.remove_worse([before, trial])
    study.write_best()
