"""Fit calibration, thresholds and support for one kind of file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deepfake.config import AggregationConfig
from deepfake.evaluation.metrics import binary_metrics
from deepfake.training.calibrate.choose_aggregation import add_bystanders
from deepfake.training.calibrate.file_scores import (
    KEYS,
    count_labels,
    file_scores,
    has_enough,
)
from deepfake.training.calibrate.synthetic_clips import METHOD_PREFIXES
from deepfake.types import Kind, Label
from deepfake.verdicts.aggregation import TrackScore
from deepfake.verdicts.calibration import (
    MIN_PER_CLASS,
    Calibration,
    Support,
    Thresholds,
    choose_thresholds,
    fit_likelihood_ratio_bounds,
    fit_support,
    fit_temperature,
    shift_prior,
)
from deepfake.verdicts.judgement import JudgementSettings, judgement_kind

__all__ = ["FittedJudgement", "fit_judgement"]

_REPORTED = ("n", "n_real", "n_fake", "auc", "log_loss", "brier", "ece", "cllr", "min_cllr")

_PEOPLE = (1, 2, 3, 5)
"""In a picture, where false alarms are counted."""

_MIN_FRAMES = {Kind.IMAGE: 1, Kind.VIDEO: 3}
"""Frames that have to show the face that decides."""

_MAX_FALSE_ALARM = {Kind.IMAGE: 0.05, Kind.VIDEO: 0.05}
"""Share of reals that may be called fake."""

_MAX_MISS = {Kind.IMAGE: 0.05, Kind.VIDEO: 0.1}
"""Share of fakes that may be called real. At 0.05 more than a third of the clips that the packaged
detector is calibrated on would be neither real nor fake."""


@dataclass(frozen=True, slots=True)
class FittedJudgement:
    """Settings fitted on the files of one kind, and metrics.

    Attributes:
        settings: Calibration, thresholds, support and notes.
        metrics: Of the files that they were fitted on, by name.
    """

    settings: JudgementSettings
    metrics: dict[str, float | int | str | None]


def fit_judgement(
    crops: pd.DataFrame,
    *,
    kind: Kind,
    aggregation: AggregationConfig,
    prior: float,
    max_false_alarm: float | None = None,
    max_miss: float | None = None,
) -> FittedJudgement:
    """Fit the settings of one kind of file; stills do not stand for videos."""
    own, name = crops[crops["kind"] == str(kind)], judgement_kind(kind)
    if not has_enough(own):
        return FittedJudgement(_not_calibrated(own, kind=kind, prior=prior), {})
    labels, scores = file_scores(own, aggregation=aggregation)
    logits = np.array([score.logit for score in scores])
    sources = _count_sources(own)
    calibration = fit_temperature(
        logits, labels=labels, fitted_on=_sample_name(sources, name=name), prior=prior
    )
    prob = calibration.prob(logits)
    log_lr = calibration.log_likelihood_ratio(logits)
    bounds = fit_likelihood_ratio_bounds(log_lr, labels)
    thresholds = choose_thresholds(
        prob,
        labels=labels,
        max_false_alarm=_MAX_FALSE_ALARM[kind] if max_false_alarm is None else max_false_alarm,
        max_miss=_MAX_MISS[kind] if max_miss is None else max_miss,
    )
    settings = JudgementSettings(
        calibration=calibration,
        thresholds=thresholds,
        support=_support_of([score.strongest for score in scores], kind=kind),
        likelihood_ratio_bounds=bounds,
        notes=_notes_on(sources, name=name),
    )
    # Probabilities hold for the prior; their quality is measured at the files' own share of fakes.
    here = shift_prior(prob, from_prior=prior, to_prior=float(labels.mean()))
    values = binary_metrics(labels, here, rank=logits, log_lr=bounds.clip_log(log_lr))
    alarms = _false_alarms(
        own, aggregation=aggregation, calibration=calibration, thresholds=thresholds
    )
    metrics: dict[str, float | int | str | None] = {
        f"val_calibration_{name}_{m}": getattr(values, m) for m in _REPORTED
    }
    for people, share in alarms.items():
        metrics[f"val_calibration_{name}_false_alarm_{people}_people"] = share
    return FittedJudgement(settings, metrics)


def _not_calibrated(crops: pd.DataFrame, *, kind: Kind, prior: float) -> JudgementSettings:
    counts, name = count_labels(crops), judgement_kind(kind)
    note = (
        f"Probabilities for {name}s are not calibrated: `val` has {counts['real']} real and "
        f"{counts['fake']} fake {name}s to do it with, {MIN_PER_CLASS} of each are needed."
    )
    return JudgementSettings(
        calibration=Calibration(prior=prior),
        support=Support(min_frames=_MIN_FRAMES[kind]),
        notes=(note,),
    )


@dataclass(frozen=True, slots=True)
class _Sources:
    """Files that `deepfake clips` made: out of stills, and out of recordings."""

    synthetic: int
    recorded: int


def _count_sources(crops: pd.DataFrame) -> _Sources:
    methods = crops.drop_duplicates("uri")["method"].astype(str)
    stills, videos = (
        int(methods.str.startswith(METHOD_PREFIXES[source]).sum())
        for source in (Kind.IMAGE, Kind.VIDEO)
    )
    return _Sources(synthetic=stills, recorded=videos)


def _sample_name(sources: _Sources, *, name: str) -> str:
    if not sources.synthetic:
        return name
    return f"synthetic and recorded {name}" if sources.recorded else f"synthetic {name}"


def _notes_on(sources: _Sources, *, name: str) -> tuple[str, ...]:
    if not sources.synthetic:
        return ()
    beside = f" and on {sources.recorded:,} clips of recordings" if sources.recorded else ""
    note = (
        f"Probabilities for {name}s are calibrated on {name}s made by code out of stills{beside}: "
        f"real {name}s may be judged less well than stated."
    )
    return (note,)


def _support_of(strongest: Sequence[TrackScore], *, kind: Kind) -> Support:
    seen = {
        name: np.array([getattr(track, name) for track in strongest], dtype=np.float64)
        for name in ("face_px", "sharpness", "novelty")
    }
    return fit_support(
        face_px=seen["face_px"],
        sharpness=seen["sharpness"],
        novelty=seen["novelty"] if np.isfinite(seen["novelty"]).all() else None,
        min_frames=_MIN_FRAMES[kind],
    )


def _false_alarms(
    crops: pd.DataFrame,
    *,
    aggregation: AggregationConfig,
    calibration: Calibration,
    thresholds: Thresholds,
) -> dict[int, float]:
    """Return the share of reals called fake by the number of people in them.

    Files that show one person, with other real people added: everything else is equal.
    """
    people = crops.groupby(KEYS)["track_id"].transform("nunique")
    alone = crops[(people == 1) & (crops["label"] == str(Label.REAL))]
    if alone[KEYS].drop_duplicates().shape[0] < MIN_PER_CLASS:
        return {}
    shares = {}
    for count in _PEOPLE:
        _, scores = file_scores(
            add_bystanders(alone, bystanders=count - 1), aggregation=aggregation
        )
        probs = calibration.prob(np.array([score.logit for score in scores]))
        shares[count] = float((probs >= thresholds.fake_from).mean())
    return shares
