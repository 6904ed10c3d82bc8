"""Calibrate a detector of lips against sound on half of `val`.

Reals are compared as they are, and beside sound that does not belong to them; fakes that a corpus
labels count as mismatches too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.detectors.sync.detector import load_sync_detector
from deepfake.detectors.sync_bundle import load_sync_bundle, save_sync_bundle
from deepfake.errors import DataError
from deepfake.evaluation.metrics import binary_metrics
from deepfake.evaluation.sync.mismatches import iter_mismatches
from deepfake.evaluation.sync.predict import SpokenFile, embed_files, score_file
from deepfake.training.calibrate import CalibrationSummary
from deepfake.training.calibrate.unseen_kinds import count_from
from deepfake.training.crop_selection import groups_of
from deepfake.types import Label, Split
from deepfake.verdicts.calibration import (
    MIN_PER_CLASS,
    Calibration,
    choose_thresholds,
    fit_likelihood_ratio_bounds,
    fit_temperature,
    raise_for_corpora,
    shift_prior,
)
from deepfake.verdicts.sync import SyncJudgement, SyncScore, SyncSupport, fit_sync_support

__all__ = [
    "ScoredFiles",
    "calibrate_sync_bundle",
    "fit_sync_judgement",
    "reject_too_few_speakers",
    "score_for_calibration",
]

_Metrics = dict[str, float | int | str | None]

_PREFIX = "val_calibration_sync_"
_REPORTED = ("n", "n_real", "n_fake", "auc", "eer", "log_loss", "brier", "ece", "cllr", "min_cllr")

_MAX_FALSE_ALARM = 0.05
_MAX_MISS = 0.1
"""As for videos of faces."""

_NOTE = (
    "Calibrated on real files beside sound that does not belong to them: fakes whose lips were "
    "made to fit are nearer to reals than these."
)


@dataclass(frozen=True, slots=True)
class ScoredFiles:
    """Scores of reals and of mismatches.

    Attributes:
        scores: One a file or a made mismatch.
        labels: 1 for a mismatch, 0 for a real file, shape (N,).
        corpora: Of each.
        kinds: `real`, `labelled`, or one of `MISMATCHES`.
    """

    scores: tuple[SyncScore, ...]
    labels: NDArray[np.float64]
    corpora: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def logits(self) -> NDArray[np.float64]:
        """Of each, shape (N,)."""
        return np.array([score.logit for score in self.scores], dtype=np.float64)


def calibrate_sync_bundle(
    folder: Path,
    *,
    snapshots: Sequence[Snapshot],
    output: Path,
    prior: float = 0.5,
    max_false_alarm: float = _MAX_FALSE_ALARM,
    max_miss: float = _MAX_MISS,
    device: str = "cpu",
    cache: Path | None = None,
    on_done: Callable[[int], None] = lambda _: None,
) -> CalibrationSummary:
    """Calibrate a bundle on the calibrating half of `val` of corpora, and write it.

    Args:
        folder: The bundle.
        snapshots: One a corpus; their runs were cut as the bundle's are.
        output: Where the calibrated bundle goes; may be `folder`.
        prior: Share of fakes that probabilities shall hold for.
        max_false_alarm: Share of the reals of each corpus that may be called a mismatch.
        max_miss: Share of mismatches that may lie below the band of uncertain ones.
        device: Where the networks compute.
        cache: Where networks converted for the CPU are kept.
        on_done: Called with the number of runs done.

    Returns:
        Its folder, metrics and notes. Without enough files it stays uncalibrated, and a note says
        so.

    Raises:
        BundleError: It is not a bundle of lips and sound, or `output` is something else.
        ConfigError: The runs of a corpus were cut otherwise, or a share is not in 0..1.
        DataError: There is no corpus.
        SplitLeakageError: A corpus holds what belongs to a held-out set.
    """
    reject_held_out_media(snapshots)
    if not snapshots:
        raise DataError("calibrating needs at least one corpus")
    bundle = load_sync_bundle(folder)
    detector = load_sync_detector(folder, device=device, cache=cache)
    files: list[SpokenFile] = []
    done = 0
    for snapshot in snapshots:
        own = _calibrating(snapshot)
        files += embed_files(detector, snapshot, own, on_done=count_from(done, on_done))
        done += len(own)
    judgement, metrics = fit_sync_judgement(
        score_for_calibration(files),
        prior=prior,
        max_false_alarm=max_false_alarm,
        max_miss=max_miss,
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
    save_sync_bundle(output, state_dict=bundle.state_dict(), spec=spec, overwrite=True)
    return CalibrationSummary(output, metrics, judgement.notes)


def reject_too_few_speakers(snapshots: Sequence[Snapshot]) -> None:
    """Reject corpora of runs on which nothing can be calibrated.

    Args:
        snapshots: One a corpus.

    Raises:
        DataError: The calibrating half of `val` lacks real files.
        ShardError: A snapshot holds no runs of mouths.
    """
    runs = pd.concat([_calibrating(snapshot) for snapshot in snapshots], ignore_index=True)
    files = runs.drop_duplicates(["corpus", "uri"])
    num_real = int((files["label"] == str(Label.REAL)).sum())
    if num_real < MIN_PER_CLASS:
        raise DataError(
            f"nothing can be calibrated: half of `val` has {num_real} real files with a face that "
            f"speaks; {MIN_PER_CLASS} are needed",
            hint="Name more corpora with --dataset, or a larger one.",
        )


def _calibrating(snapshot: Snapshot) -> pd.DataFrame:
    _ = snapshot.sync_config  # raises where it holds no runs
    index = snapshot.index()
    val = index[(index["split"] == str(Split.VAL)) & index["label"].notna()]
    return val[~halve_by_group(groups_of(val).tolist())]


def score_for_calibration(files: Sequence[SpokenFile]) -> ScoredFiles:
    """Return the scores of files as they are, and of mismatches made of the reals of each corpus.

    Args:
        files: Labelled.
    """
    found = [
        (score_file(file), file, "real" if file.row["label"] == str(Label.REAL) else "labelled")
        for file in files
    ]
    for corpus in sorted({str(file.row["corpus"]) for file in files}):
        reals = [
            file
            for file in files
            if file.row["corpus"] == corpus and file.row["label"] == str(Label.REAL)
        ]
        found += [
            (score_file(file, similarities), file, kind)
            for file, kind, similarities in iter_mismatches(reals)
        ]
    return ScoredFiles(
        scores=tuple(score for score, _, _ in found),
        labels=np.array([float(kind != "real") for _, _, kind in found], dtype=np.float64),
        corpora=tuple(str(file.row["corpus"]) for _, file, _ in found),
        kinds=tuple(kind for _, _, kind in found),
    )


def fit_sync_judgement(
    scored: ScoredFiles,
    *,
    prior: float = 0.5,
    max_false_alarm: float = _MAX_FALSE_ALARM,
    max_miss: float = _MAX_MISS,
) -> tuple[SyncJudgement, _Metrics]:
    """Fit calibration, thresholds and support to the scores of reals and mismatches.

    Args:
        scored: The scores.
        prior: Share of fakes that probabilities shall hold for.
        max_false_alarm: Share of the reals of each corpus that may be called a mismatch.
        max_miss: Share of mismatches that may lie below the band of uncertain ones.

    Returns:
        The judgement, and metrics of these files.
    """
    labels, logits = scored.labels, scored.logits
    num_real, num_fake = int((labels == 0).sum()), int((labels == 1).sum())
    if min(num_real, num_fake) < MIN_PER_CLASS:
        note = (
            f"Probabilities for lips and sound are not calibrated: half of `val` has {num_real} "
            f"real files and {num_fake} mismatches to do it with, {MIN_PER_CLASS} of each are "
            "needed."
        )
        return SyncJudgement(calibration=Calibration(prior=prior), notes=(note,)), {}
    calibration = fit_temperature(logits, labels=labels, fitted_on="sync", prior=prior)
    prob, log_lr = calibration.prob(logits), calibration.log_likelihood_ratio(logits)
    bounds = fit_likelihood_ratio_bounds(log_lr, labels)
    thresholds = raise_for_corpora(
        choose_thresholds(prob, labels=labels, max_false_alarm=max_false_alarm, max_miss=max_miss),
        [prob[own] for own in _reals_by_corpus(scored)],
        max_false_alarm=max_false_alarm,
    )
    judgement = SyncJudgement(
        calibration=calibration,
        thresholds=thresholds,
        support=_support(scored),
        likelihood_ratio_bounds=bounds,
        notes=(_NOTE,),
    )
    # Probabilities hold for the prior; their quality is measured at the files' own share of fakes.
    here = shift_prior(prob, from_prior=prior, to_prior=float(labels.mean()))
    values = binary_metrics(labels, here, rank=logits, log_lr=bounds.clip_log(log_lr))
    return judgement, {f"{_PREFIX}{name}": getattr(values, name) for name in _REPORTED}


def _reals_by_corpus(scored: ScoredFiles) -> list[NDArray[np.bool_]]:
    corpora = np.array(scored.corpora)
    return [(corpora == one) & (scored.labels == 0) for one in sorted(set(scored.corpora))]


def _support(scored: ScoredFiles) -> SyncSupport:
    reals = [s for s, label in zip(scored.scores, scored.labels, strict=True) if label == 0]
    return fit_sync_support(
        face_px=_known([score.face_px for score in reals]),
        speech_seconds=_known([score.speech_seconds for score in reals]),
        num_samples=len(reals),
    )


def _known(values: Sequence[float | None]) -> NDArray[np.float64] | None:
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return column if np.isfinite(column).all() else None
