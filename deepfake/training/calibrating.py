"""Temperature and thresholds, for stills and videos apart, on files that chose nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from deepfake.aggregation import aggregate_by_uri
from deepfake.calibration import (
    MIN_PER_CLASS,
    Calibration,
    Thresholds,
    choose_thresholds,
    fit_temperature,
)
from deepfake.config import AggregationConfig
from deepfake.datasets import labels_of
from deepfake.metrics import binary_metrics
from deepfake.types import Kind, Label

__all__ = ["CalibrationResult", "calibrate"]

_NAMES = {Kind.IMAGE: "still", Kind.VIDEO: "video"}
_REPORTED = ("n", "n_real", "n_fake", "auc", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """What one kind of file gave.

    Attributes:
        calibration: The identity with `is_fitted` False where there are too few files.
        thresholds: The defaults with `is_fitted` False where there are too few files.
        metrics: Of the calibrated files, their names prefixed by `val_calibration_<kind>_`.
        notes: What a reader must know, a sentence each.
    """

    calibration: Calibration
    thresholds: Thresholds
    metrics: dict[str, float | int | str | None]
    notes: tuple[str, ...]


def calibrate(
    crops: pd.DataFrame, *, kind: Kind, aggregation: AggregationConfig, prior: float
) -> CalibrationResult:
    """Fit calibration and thresholds on the files of one kind.

    Stills do not stand for videos: a kind without enough files of both classes keeps the identity.

    Args:
        crops: The calibrating half of `val`, with the column `logit`.
        kind: Which files.
        aggregation: How crops become a file's logit.
        prior: Share of fakes that the probability shall hold for.
    """
    own = crops[crops["kind"] == str(kind)]
    name = _NAMES[kind]
    files = own.drop_duplicates(["corpus", "uri"])
    counts = files["label"].value_counts().reindex([*Label], fill_value=0)
    if counts.min() < MIN_PER_CLASS:
        note = (
            f"Probabilities for {name}s are not calibrated: `val` has {counts['real']} real and "
            f"{counts['fake']} fake {name}s to do it with, {MIN_PER_CLASS} of each are needed."
        )
        return CalibrationResult(Calibration(prior=prior), Thresholds(), {}, (note,))
    keys = ("corpus", "uri")
    scores = aggregate_by_uri(own, config=aggregation, keys=keys)
    logits = np.array([scores[key].logit for key in files[list(keys)].itertuples(index=False)])
    labels = labels_of(files)
    calibration = fit_temperature(logits, labels=labels, fitted_on=name, prior=prior)
    prob = calibration.prob(logits)
    thresholds = choose_thresholds(prob, labels=labels)
    values = binary_metrics(labels, prob, rank=logits)
    note = f"Thresholds for {name}s are the defaults: {len(labels)} files of `val` are too few."
    return CalibrationResult(
        calibration=calibration,
        thresholds=thresholds,
        metrics={f"val_calibration_{name}_{m}": getattr(values, m) for m in _REPORTED},
        notes=() if thresholds.is_fitted else (note,),
    )
