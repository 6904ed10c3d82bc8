"""Evaluate one corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.evaluation.matched_pairs import MATCHED_ON, MatchedPairs
from deepfake.evaluation.metrics import (
    binary_metrics,
    bootstrap_intervals,
    headline_accuracy,
    operating_point,
    precision_at_prevalence,
    wilson_interval,
)
from deepfake.evaluation.result import (
    CorpusResult,
    Headline,
    Level,
    MatchedResult,
    OwnReal,
    Slice,
)
from deepfake.evaluation.tables import FACE_COLUMNS
from deepfake.types import Kind, Label, Status, Verdict
from deepfake.verdicts.calibration import Thresholds

__all__ = [
    "MIN_PAIRS",
    "against_reals",
    "evaluate_corpus",
    "is_correct",
    "iter_column_slices",
    "iter_slices",
    "weakest_slice",
]

MIN_PAIRS = 30
"""With fewer pairs the matched test is shown but is not the headline."""

_SLICED_BY = ("method", "kind", "compression")

_NUM_BINS = 4
"""Slices of equal numbers of files by each column of faces."""

_MIN_VALUES = 20

_MANY = 4
"""People in a file from which on they are one part."""
_DRAWS = 2000
_MAX_DRAWN_ELEMENTS = 40_000_000


def evaluate_corpus(
    name: str,
    *,
    files: pd.DataFrame,
    pairs: MatchedPairs,
    frames: pd.DataFrame,
    outcomes: pd.DataFrame,
    thresholds: dict[Kind, Thresholds],
    seed: int,
) -> CorpusResult:
    """Return all metrics of one corpus.

    Args:
        name: Of the corpus.
        files: Its rows of `file_table`.
        pairs: Of those rows, by their position.
        frames: Its rows of `frame_table`.
        outcomes: Its outcomes, the unlabelled and missing ones too.
        thresholds: By kind.
        seed: Of the bootstrap.
    """
    scored = files[files["logit"].notna()].reset_index(drop=True)
    level = _level_of(scored, seed=seed)
    matched = _matched_of(files, pairs, seed=seed)
    is_right = is_correct(files)
    answered = files["verdict"].isin([Verdict.REAL, Verdict.FAKE]).to_numpy()
    agrees = (files["verdict"] == files["label"]).to_numpy()
    is_scored = files["logit"].notna().to_numpy()
    is_uncertain = (files["verdict"] == Verdict.UNCERTAIN).to_numpy()
    accuracy = headline_accuracy(
        _is_fake(files), files["prob_fake"], threshold=files["threshold"].fillna(0.5).to_numpy()
    )
    precision = precision_at_prevalence(level.metrics.recall, level.metrics.false_alarm_rate)
    is_missing = (outcomes["status"] == Status.MISSING).to_numpy()
    return CorpusResult(
        corpus=name,
        n_files=len(files),
        n_unlabelled=int((outcomes["label"].isna().to_numpy() & ~is_missing).sum()),
        n_missing=int(is_missing.sum()),
        statuses={str(k): int(v) for k, v in files["status"].value_counts().sort_index().items()},
        headline=_headline_of(level, matched, accuracy=accuracy),
        headline_accuracy=accuracy,
        selective_accuracy=float(agrees[answered].mean()) if answered.any() else None,
        coverage=float(answered.mean()) if len(files) else None,
        files=level,
        frames=_level_of(frames, seed=seed),
        matched=matched,
        operating_points=_operating_points(scored, thresholds),
        precision_at={str(share): value for share, value in precision.items()},
        slices=tuple(
            _slice_of(files, rows, by=by, value=value) for by, value, rows in iter_slices(files)
        ),
        own_real=_own_real_of(scored),
        verdicts={
            str(label): {str(k): int(v) for k, v in rows["verdict"].value_counts().items()}
            for label, rows in files.groupby("label", sort=True)
        },
        uncertain=float(is_uncertain[is_scored].mean()) if is_scored.any() else None,
        uncertain_reasons=dict(sorted(Counter(files["cause"][is_uncertain]).items())),
        rate_interval=wilson_interval(int(is_right.sum()), len(files)),
    )


def _own_real_of(scored: pd.DataFrame) -> OwnReal:
    """Compare each fake with the real that it was made of, compressed alike."""
    is_fake = scored["label"] == Label.FAKE
    is_known = scored["original"].notna()
    by = ["original", "compression"]
    columns = [*by, "log_odds"]
    met = scored.loc[is_fake & is_known, columns].merge(
        scored.loc[~is_fake & is_known, columns], on=by, suffixes=("_fake", "_real")
    )
    gaps = (met["log_odds_fake"] - met["log_odds_real"]).to_numpy(dtype=np.float64)
    won = float((gaps > 0).sum() + (gaps == 0).sum() / 2)
    return OwnReal(
        pairs=len(gaps),
        rate=won / len(gaps) if len(gaps) else None,
        num_fakes=int(is_fake.sum()),
    )


def _is_fake(rows: pd.DataFrame) -> NDArray[np.int64]:
    return (rows["label"] == Label.FAKE).to_numpy().astype(np.int64)


def is_correct(files: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which files are classified correctly; one without a score is not."""
    called = (files["prob_fake"] >= files["threshold"]).to_numpy()
    right: NDArray[np.bool_] = files["logit"].notna().to_numpy() & (
        called == (_is_fake(files) == 1)
    )
    return right


def _level_of(rows: pd.DataFrame, *, seed: int) -> Level:
    labels, probs = _is_fake(rows), rows["prob_fake"].to_numpy(dtype=np.float64)
    limits = rows["threshold"].to_numpy(dtype=np.float64)
    threshold = float(limits[0]) if len(np.unique(limits)) == 1 else limits
    rank, groups = rows["log_odds"].to_numpy(dtype=np.float64), rows["group"].to_numpy(dtype=str)
    # Likelihood ratios are of files: a frame has none.
    log_lr = rows["log_lr"].to_numpy(dtype=np.float64) if "log_lr" in rows else None
    # 2,000 draws, fewer where there are so many rows that they would take minutes.
    draws = max(200, min(_DRAWS, _MAX_DRAWN_ELEMENTS // max(1, len(rows))))
    return Level(
        metrics=binary_metrics(
            labels, probs, rank=rank, threshold=threshold, groups=groups, log_lr=log_lr
        ),
        intervals=bootstrap_intervals(
            labels,
            probs,
            groups=groups,
            rank=rank,
            threshold=threshold,
            log_lr=log_lr,
            draws=draws,
            seed=seed,
        ),
    )


def _matched_of(files: pd.DataFrame, pairs: MatchedPairs, *, seed: int) -> MatchedResult:
    rows = files.iloc[np.concatenate([pairs.real_rows, pairs.fake_rows])]
    alone = {
        name: binary_metrics(_is_fake(rows), np.zeros(len(rows)), rank=rows[name]).auc
        for name in MATCHED_ON
    }
    return MatchedResult(
        n_pairs=pairs.n_pairs,
        n_real=pairs.n_real,
        n_fake=pairs.n_fake,
        caliper=pairs.caliper,
        gap_before=pairs.gap_before,
        gap_after=pairs.gap_after,
        auc_of_covariates=alone,
        level=_level_of(rows, seed=seed) if pairs.n_pairs else None,
    )


def _headline_of(level: Level, matched: MatchedResult, *, accuracy: float | None) -> Headline:
    is_matched = matched.level is not None and matched.n_pairs >= MIN_PAIRS
    chosen = matched.level if is_matched and matched.level is not None else level
    interval = chosen.intervals.values.get("auc")
    why = None if is_matched else f"{matched.n_pairs} pairs, at least {MIN_PAIRS} are needed"
    undefined = chosen.metrics.why.get("auc")
    return Headline(
        basis="matched" if is_matched else "unmatched",
        n_pairs=matched.n_pairs,
        auc=chosen.metrics.auc,
        auc_low=None if interval is None else interval[0],
        auc_high=None if interval is None else interval[1],
        unmatched_auc=level.metrics.auc,
        accuracy=accuracy,
        why="; ".join(filter(None, (undefined, why))) or None,
    )


def _operating_points(
    scored: pd.DataFrame, thresholds: dict[Kind, Thresholds]
) -> dict[str, dict[str, float | None]]:
    points: dict[str, dict[str, float | None]] = {}
    for kind, chosen in thresholds.items():
        own = scored[scored["kind"] == kind]
        for name, threshold in (("fpr_1", chosen.fpr_1), ("fpr_5", chosen.fpr_5)):
            if threshold is not None and len(own):
                points[f"{kind}_{name}"] = operating_point(
                    _is_fake(own), own["prob_fake"], threshold=threshold
                )
    return points


def iter_column_slices(files: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the slices by method, kind and compression, as `iter_slices` does.

    Args:
        files: A row a file, of pictures or of sound; where a column is empty a file is in no slice.
    """
    for by in _SLICED_BY:
        for value, rows in files.groupby(by, sort=True):
            yield by, str(value), rows


def iter_slices(files: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the slices of a corpus: the column that it is cut by, the value, and the files.

    Args:
        files: Rows of `file_table`; two detectors on the same crops have the same slices.
    """
    yield from iter_column_slices(files)
    reals = files[(files["label"] == Label.REAL) & files["num_tracks"].notna()]
    if len(reals) and reals["num_tracks"].nunique() > 1:
        # The more faces may raise an alarm, the more often one does so without cause.
        people = reals["num_tracks"].astype(int).clip(upper=_MANY)
        for count, rows in reals.groupby(people, sort=True):
            more = " and more" if count == _MANY else ""
            yield "people", f"{count}{more}", rows
    for by in FACE_COLUMNS:
        known = files[files[by].notna()]
        if known[by].nunique() < _MIN_VALUES:
            continue
        parts = pd.qcut(known[by], _NUM_BINS, duplicates="drop")
        for part, rows in known.groupby(parts, sort=True, observed=True):
            low = max(part.left, rows[by].min())
            yield by, f"{low:.3g} to {part.right:.3g}", rows


def against_reals(files: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a slice, with all reals of its corpus added where it holds fakes alone.

    A method makes fakes only: they are compared with all the reals.
    """
    is_mixed = (rows["label"] == Label.REAL).any()
    return rows if is_mixed else pd.concat([rows, files[files["label"] == Label.REAL]])


def weakest_slice(slices: Sequence[Slice]) -> Slice | None:
    """Return the slice by face with the lowest accuracy, None without such slices.

    Slices are ordered by the upper end of their interval, so that a handful of files does not win.
    """
    by_face = [part for part in slices if part.by in FACE_COLUMNS]
    return min(by_face, key=lambda part: (part.high, part.by), default=None)


def _slice_of(files: pd.DataFrame, rows: pd.DataFrame, *, by: str, value: str) -> Slice:
    fakes, right = _is_fake(rows), int(is_correct(rows).sum())
    n_fake = int(fakes.sum())
    compared = against_reals(files, rows)
    scored = compared[compared["logit"].notna()]
    metrics = binary_metrics(_is_fake(scored), scored["prob_fake"], rank=scored["log_odds"])
    low, high = wilson_interval(right, len(rows)) or (0.0, 1.0)
    kinds = {len(rows): "recall", 0: "specificity"}
    return Slice(
        by=by,
        value=value,
        n=len(rows),
        n_real=len(rows) - n_fake,
        n_fake=n_fake,
        n_scored=int(rows["logit"].notna().sum()),
        rate_of=kinds.get(n_fake, "accuracy"),
        rate=right / len(rows),
        low=low,
        high=high,
        auc=metrics.auc,
        why=metrics.why.get("auc"),
    )
