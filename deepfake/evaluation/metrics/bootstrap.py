"""Bootstrap intervals and comparisons by drawing whole groups of media with replacement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from deepfake.errors import DataError
from deepfake.evaluation.metrics.likelihood_ratio import cllr_costs
from deepfake.evaluation.metrics.point import (
    Samples,
    check_samples,
    needs_both,
    values_of,
    weighted_ece,
)
from deepfake.types import FloatArray

__all__ = [
    "MIN_GROUPS",
    "Intervals",
    "PairedComparison",
    "bootstrap_intervals",
    "paired_bootstrap",
]

MIN_GROUPS = 10
"""With fewer groups an interval by bootstrap is not estimable."""

_MIN_DEFINED_SHARE = 0.9
_CHUNK_ELEMENTS = 2_000_000
_DRAWN = (
    "auc",
    "average_precision",
    "ece",
    "brier",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "false_alarm_rate",
    "cllr",
)


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals by bootstrap over groups.

    Attributes:
        n_groups: Groups drawn from.
        draws: Draws made; 0 where it was not estimable.
        values: (low, high) by name of the metric, None where not estimable.
        why: Why not, by name of the metric.
    """

    n_groups: int
    draws: int
    values: Mapping[str, tuple[float, float] | None]
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two detectors on the same media.

    Attributes:
        n: Samples.
        n_groups: Groups drawn from.
        auc_a: The first one's AUC.
        auc_b: The second one's.
        difference: `auc_b - auc_a`.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_value: Two-sided, that there is no difference.
        why: Why something is None.
    """

    n: int
    n_groups: int
    auc_a: float | None
    auc_b: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    why: Mapping[str, str] = field(default_factory=dict)


def bootstrap_intervals(
    labels: ArrayLike,
    prob: ArrayLike,
    *,
    groups: ArrayLike,
    rank: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    log_lr: ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Intervals:
    """Return 95 % percentile intervals from drawing whole groups with replacement.

    That of `ece` is moved by the difference of the draws' mean and the value itself.

    Args:
        labels: 1 fake, 0 real.
        prob: As for `binary_metrics`, as are `rank`, `threshold` and `log_lr`.
        groups: Media of one group (same people, same source) come and go together.
        draws: Number of draws.
        seed: Of the draws.

    Returns:
        Of `auc`, `average_precision`, `ece`, `brier`, `accuracy`, `balanced_accuracy`, `precision`,
        `recall`, `f1`, `false_alarm_rate` and `cllr`. A metric that is undefined, or that a tenth
        of the draws leave undefined, has none. With fewer than `MIN_GROUPS` groups nothing has.
    """
    samples = check_samples(labels, prob, rank, threshold, log_lr=log_lr)
    codes, n_groups = _codes_of(groups, n=len(samples.is_fake))
    point, why = values_of(samples)
    if n_groups < MIN_GROUPS:
        reason = f"not estimable: {n_groups} groups, at least {MIN_GROUPS} are needed"
        return Intervals(n_groups, 0, dict.fromkeys(_DRAWN), dict.fromkeys(_DRAWN, reason))
    parts = [_draw(samples, w) for w in _weights(codes, n_groups=n_groups, draws=draws, seed=seed)]
    values: dict[str, tuple[float, float] | None] = {}
    reasons: dict[str, str] = {}
    for name in _DRAWN:
        drawn, value = np.concatenate([part[name] for part in parts]), point[name]
        # Repeated samples make the ECE of a draw larger than it is: that shift is taken off.
        shift = 0.0 if value is None or name != "ece" else value - float(np.nanmean(drawn))
        values[name] = None if value is None else _percentiles(drawn, shift=shift)
        if values[name] is None:
            reasons[name] = why.get(name, "undefined in more than a tenth of the draws")
    return Intervals(n_groups, draws, values, reasons)


def paired_bootstrap(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    groups: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> PairedComparison:
    """Compare the AUC of two detectors on the same media, the same draws for both.

    Args:
        labels: 1 fake, 0 real.
        scores_a: The first one's scores, in any unit that rises with fake.
        scores_b: The second one's, of the same media in the same order.
        groups: As for `bootstrap_intervals`.
        draws: Number of draws.
        seed: Of the draws.

    Raises:
        DataError: Lengths differ, or a score is not finite.
    """
    n = len(np.asarray(labels))
    flat = np.zeros(n)
    a, b = (check_samples(labels, flat, scores, 0.5) for scores in (scores_a, scores_b))
    codes, n_groups = _codes_of(groups, n=n)
    if reason := needs_both(a):
        return PairedComparison(n, n_groups, None, None, None, why={"auc": reason})
    auc_a, auc_b = (float(sk.roc_auc_score(s.is_fake, s.rank)) for s in (a, b))
    difference = auc_b - auc_a
    if n_groups < MIN_GROUPS:
        reason = f"not estimable: {n_groups} groups, at least {MIN_GROUPS} are needed"
        return PairedComparison(
            n, n_groups, auc_a, auc_b, difference, why={"interval": reason, "p_value": reason}
        )
    drawn = np.concatenate(
        [
            _auc_draws(b.is_fake, b.rank, w) - _auc_draws(a.is_fake, a.rank, w)
            for w in _weights(codes, n_groups=n_groups, draws=draws, seed=seed)
        ]
    )
    interval = _percentiles(drawn)
    if interval is None:
        reason = "undefined in more than a tenth of the draws"
        return PairedComparison(
            n, n_groups, auc_a, auc_b, difference, why={"interval": reason, "p_value": reason}
        )
    return PairedComparison(
        n, n_groups, auc_a, auc_b, difference, *interval, p_value=_two_sided(drawn)
    )


def _codes_of(groups: ArrayLike, *, n: int) -> tuple[NDArray[np.int64], int]:
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if codes.shape != (n,):
        raise DataError(f"groups must be of the length of the labels, {n}, got {codes.shape}")
    return codes.astype(np.int64), len(names)


def _weights(
    codes: NDArray[np.int64], *, n_groups: int, draws: int, seed: int
) -> Iterator[FloatArray]:
    # How often each sample's group was drawn, (D, N), in chunks that fit into memory.
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK_ELEMENTS // max(len(codes), n_groups))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = generator.integers(0, n_groups, size=(size, n_groups))
        cells = (drawn + n_groups * np.arange(size)[:, None]).ravel()
        counts = np.bincount(cells, minlength=size * n_groups).reshape(size, n_groups)
        yield counts[:, codes].astype(np.float64)


def _draw(samples: Samples, weights: FloatArray) -> dict[str, FloatArray]:
    fake, called = samples.is_fake.astype(np.float64), samples.called.astype(np.float64)
    cells = np.stack([fake * called, fake * (1 - called), (1 - fake) * called], axis=1)
    tp, fn, fp = (weights @ cells).T  # each (D,)
    total = weights.sum(axis=1)
    tn = total - tp - fn - fp
    recall, false_alarm = _ratio(tp, tp + fn), _ratio(fp, fp + tn)
    return {
        "auc": _auc_draws(samples.is_fake, samples.rank, weights),
        "average_precision": _ap_draws(samples.is_fake, samples.rank, weights),
        "ece": weighted_ece(samples.is_fake, samples.prob, weights),
        "brier": _ratio(weights @ (samples.prob - fake) ** 2, total),
        "accuracy": _ratio(tp + tn, total),
        "balanced_accuracy": (recall + 1 - false_alarm) / 2,
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "false_alarm_rate": false_alarm,
        "cllr": _cllr_draws(samples, weights),
    }


def _cllr_draws(samples: Samples, weights: FloatArray) -> FloatArray:
    if samples.log_lr is None:
        return np.full(len(weights), np.nan)
    fake = samples.is_fake.astype(np.float64)
    costs = cllr_costs(samples.is_fake, samples.log_lr)
    of_fakes = _ratio(weights @ (fake * costs), weights @ fake)
    of_reals = _ratio(weights @ ((1 - fake) * costs), weights @ (1 - fake))
    return (of_fakes + of_reals) / 2


def _by_rank(
    is_fake: NDArray[np.bool_], rank: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    # Weight of fakes and of reals at each distinct rank, ascending, each (D, U).
    order = np.argsort(rank, kind="stable")
    _, starts = np.unique(rank[order], return_index=True)
    ordered, fakes = weights[:, order], is_fake[order]
    positive = np.add.reduceat(ordered * fakes, starts, axis=1)
    negative = np.add.reduceat(ordered * ~fakes, starts, axis=1)
    return positive, negative


def _auc_draws(is_fake: NDArray[np.bool_], rank: FloatArray, weights: FloatArray) -> FloatArray:
    positive, negative = _by_rank(is_fake, rank, weights)
    below = np.cumsum(negative, axis=1) - negative / 2  # ties count half
    won = np.einsum("du,du->d", positive, below)
    return _ratio(won, positive.sum(axis=1) * negative.sum(axis=1))


def _ap_draws(is_fake: NDArray[np.bool_], rank: FloatArray, weights: FloatArray) -> FloatArray:
    positive, negative = _by_rank(is_fake, rank, weights)
    true = np.cumsum(positive[:, ::-1], axis=1)
    called = true + np.cumsum(negative[:, ::-1], axis=1)
    precision = true / np.maximum(called, 1.0)  # weights are whole, so 1 stands for nothing called
    area = np.einsum("du,du->d", positive[:, ::-1], precision)
    return _ratio(area, positive.sum(axis=1))


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    result = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def _percentiles(drawn: FloatArray, *, shift: float = 0.0) -> tuple[float, float] | None:
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < _MIN_DEFINED_SHARE * len(drawn):
        return None
    low, high = np.percentile(defined, (2.5, 97.5)) + shift
    return (max(0.0, float(low)), float(high)) if shift else (float(low), float(high))


def _two_sided(differences: FloatArray) -> float:
    defined = differences[np.isfinite(differences)]
    tail = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (tail + 1) / (len(defined) + 1))
