"""Calibrate a detector of voices on half of `val`, so that its scores are probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.detectors.voice.detector import VoiceDetector, load_voice_detector
from deepfake.detectors.voice_bundle import load_voice_bundle, save_voice_bundle
from deepfake.errors import DataError
from deepfake.evaluation.metrics import binary_metrics
from deepfake.evaluation.voice.predict import predict_windows, score_files
from deepfake.training.calibrate import CalibrationSummary
from deepfake.training.calibrate.unseen_kinds import MAX_UNSEEN_MISS, count_from, count_verdicts
from deepfake.training.crop_selection import groups_of
from deepfake.training.data import labels_of
from deepfake.types import Label, Split
from deepfake.verdicts.calibration import (
    MIN_PER_CLASS,
    Calibration,
    choose_thresholds,
    fit_likelihood_ratio_bounds,
    fit_temperature,
    lower_for_unseen,
    raise_for_corpora,
    shift_prior,
)
from deepfake.verdicts.voice import VoiceJudgement, VoiceScore, fit_voice_support

__all__ = ["calibrate_voice_bundle", "fit_voice_judgement", "reject_too_few_voices"]

_Metrics = dict[str, float | int | str | None]
_Files = tuple[pd.DataFrame, list[VoiceScore]]

_PREFIX = "val_calibration_voice_"
_REPORTED = ("n", "n_real", "n_fake", "auc", "eer", "log_loss", "brier", "ece", "cllr", "min_cllr")

_MAX_FALSE_ALARM = 0.05
_MAX_MISS = 0.1
"""As for videos of faces."""


def calibrate_voice_bundle(
    folder: Path,
    *,
    snapshots: Sequence[Snapshot],
    output: Path,
    prior: float = 0.5,
    max_false_alarm: float = _MAX_FALSE_ALARM,
    max_miss: float = _MAX_MISS,
    unseen: Sequence[Snapshot] = (),
    max_unseen_miss: float = MAX_UNSEEN_MISS,
    device: str = "cpu",
    cache: Path | None = None,
    on_done: Callable[[int], None] = lambda _: None,
) -> CalibrationSummary:
    """Calibrate a bundle on the calibrating half of `val` of corpora, and write it.

    Args:
        folder: The bundle.
        snapshots: One a corpus; their windows were cut as the bundle's are.
        output: Where the calibrated bundle goes; may be `folder`.
        prior: Share of fakes that probabilities shall hold for.
        max_false_alarm: Share of the reals of each corpus that may be called fake.
        max_miss: Share of fakes that may be called real.
        unseen: Corpora that it did not learn: their fakes lower the threshold under which files are
            called real, their reals raise the one from which files are called fake, and the
            bundle keeps what is called what.
        max_unseen_miss: Share of the fakes of each of these that may be called real.
        device: Where the network computes.
        cache: Where networks converted for the CPU are kept.
        on_done: Called with the number of windows done.

    Returns:
        Its folder, metrics and notes. Without enough files of both classes it stays uncalibrated,
        and a note says so.

    Raises:
        BundleError: It is not a bundle of voices, or `output` is something else.
        ConfigError: The windows of a corpus were cut otherwise, or a share is not in 0..1.
        DataError: There is no corpus, or the detector learnt from a corpus of `unseen`.
        SplitLeakageError: A corpus holds what belongs to a held-out set.
    """
    reject_held_out_media(snapshots)
    if not snapshots:
        raise DataError("calibrating needs at least one corpus")
    bundle = load_voice_bundle(folder)
    detector = load_voice_detector(folder, device=device, cache=cache)
    parts, done = [], 0
    for snapshot in snapshots:
        own = _calibrating(snapshot)
        parts.append(predict_windows(detector, snapshot, own, on_done=count_from(done, on_done)))
        done += len(own)
    judgement, metrics = fit_voice_judgement(
        *score_files(pd.concat(parts, ignore_index=True)),
        prior=prior,
        max_false_alarm=max_false_alarm,
        max_miss=max_miss,
    )
    others = _predict_unseen(detector, unseen, on_done=count_from(done, on_done))
    judgement = _judge_unseen(
        judgement, others, max_miss=max_unseen_miss, max_false_alarm=max_false_alarm
    )
    kept = {k: v for k, v in bundle.spec.metrics.items() if not k.startswith(_PREFIX)}
    spec = bundle.spec.model_copy(
        update={
            "judgement": judgement,
            "prior": prior,
            "metrics": {**kept, **metrics},
            "calibration_digests": {s.corpus: s.digest for s in snapshots},
        }
    )
    save_voice_bundle(output, state_dict=bundle.state_dict(), spec=spec, overwrite=True)
    return CalibrationSummary(output, metrics, judgement.notes)


def reject_too_few_voices(snapshots: Sequence[Snapshot]) -> None:
    """Reject corpora of speech on which nothing can be calibrated.

    Args:
        snapshots: One a corpus.

    Raises:
        DataError: The calibrating half of `val` lacks files of one class.
        ShardError: A snapshot holds no speech.
    """
    windows = pd.concat([_calibrating(snapshot) for snapshot in snapshots], ignore_index=True)
    counts = windows.drop_duplicates(["corpus", "uri"])["label"].value_counts()
    num_real, num_fake = (int(counts.get(str(label), 0)) for label in (Label.REAL, Label.FAKE))
    if min(num_real, num_fake) < MIN_PER_CLASS:
        raise DataError(
            f"nothing can be calibrated: half of `val` has {num_real} real and {num_fake} fake "
            f"voices; {MIN_PER_CLASS} of each are needed",
            hint="Name more corpora with --dataset, or a larger one.",
        )


def _calibrating(snapshot: Snapshot) -> pd.DataFrame:
    _ = snapshot.speech_config  # raises where it holds no speech
    index = snapshot.index()
    val = index[(index["split"] == str(Split.VAL)) & index["label"].notna()]
    return val[~halve_by_group(groups_of(val).tolist())]


def fit_voice_judgement(
    files: pd.DataFrame,
    scores: Sequence[VoiceScore],
    *,
    prior: float = 0.5,
    max_false_alarm: float = _MAX_FALSE_ALARM,
    max_miss: float = _MAX_MISS,
) -> tuple[VoiceJudgement, _Metrics]:
    """Fit calibration, thresholds and support to the scores of labelled files.

    Args:
        files: A row a file, with `label` and `corpus`.
        scores: Of each.
        prior: Share of fakes that probabilities shall hold for.
        max_false_alarm: Share of the reals of each corpus that may be called fake.
        max_miss: Share of fakes that may be called real.

    Returns:
        The judgement, and metrics of these files.
    """
    labels = labels_of(files)
    num_real, num_fake = int((labels == 0).sum()), int((labels == 1).sum())
    if min(num_real, num_fake) < MIN_PER_CLASS:
        note = (
            f"Probabilities for voices are not calibrated: half of `val` has {num_real} real and "
            f"{num_fake} fake ones to do it with, {MIN_PER_CLASS} of each are needed."
        )
        return VoiceJudgement(calibration=Calibration(prior=prior), notes=(note,)), {}
    logits = np.array([score.logit for score in scores])
    calibration = fit_temperature(logits, labels=labels, fitted_on="voice", prior=prior)
    prob, log_lr = calibration.prob(logits), calibration.log_likelihood_ratio(logits)
    bounds = fit_likelihood_ratio_bounds(log_lr, labels)
    thresholds = raise_for_corpora(
        choose_thresholds(prob, labels=labels, max_false_alarm=max_false_alarm, max_miss=max_miss),
        [prob[(labels == 0) & own] for own in _corpora(files)],
        max_false_alarm=max_false_alarm,
    )
    judgement = VoiceJudgement(
        calibration=calibration,
        thresholds=thresholds,
        support=fit_voice_support(
            novelty=_known([score.novelty for score in scores]),
            bandwidth_hz=_known([score.bandwidth_hz for score in scores]),
            num_samples=len(scores),
        ),
        likelihood_ratio_bounds=bounds,
    )
    # Probabilities hold for the prior; their quality is measured at the files' own share of fakes.
    here = shift_prior(prob, from_prior=prior, to_prior=float(labels.mean()))
    values = binary_metrics(labels, here, rank=logits, log_lr=bounds.clip_log(log_lr))
    return judgement, {f"{_PREFIX}{name}": getattr(values, name) for name in _REPORTED}


def _corpora(files: pd.DataFrame) -> list[NDArray[np.bool_]]:
    return [(files["corpus"] == one).to_numpy(np.bool_) for one in sorted(set(files["corpus"]))]


def _known(values: Sequence[float | None]) -> NDArray[np.float64] | None:
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return column if np.isfinite(column).all() else None


def _predict_unseen(
    detector: VoiceDetector, unseen: Sequence[Snapshot], *, on_done: Callable[[int], None]
) -> dict[tuple[str, str], _Files]:
    """Return the files of corpora that were not learnt, by corpus and digest."""
    found: dict[tuple[str, str], _Files] = {}
    done = 0
    for snapshot in unseen:
        if snapshot.corpus in detector.spec.data_digests:
            raise DataError(f"the detector learnt from {snapshot.corpus}")
        index = snapshot.index()
        labelled = index[index["label"].notna()]
        if labelled.empty:
            raise DataError(f"{snapshot.corpus} has no labelled file with speech")
        windows = predict_windows(detector, snapshot, labelled, on_done=count_from(done, on_done))
        found[snapshot.corpus, snapshot.digest] = score_files(windows)
        done += len(labelled)
    return found


def _supported_probs(
    judgement: VoiceJudgement, files: pd.DataFrame, scores: Sequence[VoiceScore], *, label: int
) -> NDArray[np.float64]:
    """Return the probability of each file of a class, NaN where it lies outside of the support."""
    return np.array(
        [
            np.nan
            if judgement.support.reason_against(score) is not None
            else judgement.calibration.prob(score.logit)
            for own, score in zip(labels_of(files), scores, strict=True)
            if own == label
        ],
        dtype=np.float64,
    )


def _judge_unseen(
    judgement: VoiceJudgement,
    found: dict[tuple[str, str], _Files],
    *,
    max_miss: float,
    max_false_alarm: float,
) -> VoiceJudgement:
    """Move both thresholds until few unseen files are called wrongly, and count the verdicts."""
    if not found:
        return judgement
    fakes, reals = (
        [
            prob
            for files, scores in found.values()
            if (prob := _supported_probs(judgement, files, scores, label=label)).size
        ]
        for label in (1, 0)
    )
    lowered = (
        lower_for_unseen(judgement.thresholds, fakes, max_miss=max_miss)
        if fakes
        else judgement.thresholds
    )
    known = [prob[np.isfinite(prob)] for prob in reals]
    moved = raise_for_corpora(lowered, known, max_false_alarm=max_false_alarm)
    judged = judgement.model_copy(update={"thresholds": moved})
    counts = tuple(
        count_verdicts(
            corpus,
            np.array([str(judged.judge(score)[0]) for score in scores]),
            is_fake=labels_of(files) == 1,
            digest=digest,
        )
        for (corpus, digest), (files, scores) in found.items()
    )
    return judged.model_copy(update={"unseen": counts})
