"""Compute the metrics of one set of scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn import metrics as sk

from deepfake.errors import DataError
from deepfake.evaluation.metrics.likelihood_ratio import cllr, min_cllr
from deepfake.types import FloatArray

__all__ = [
    "ECE_BINS",
    "Metrics",
    "Samples",
    "binary_metrics",
    "check_samples",
    "equal_error_rate",
    "expected_calibration_error",
    "headline_accuracy",
    "needs_both",
    "operating_point",
    "precision_at_prevalence",
    "values_of",
    "weighted_ece",
    "wilson_interval",
]

ECE_BINS = 15
_MIN_PER_BIN = 5
_MIN_FALSE_ALARMS = 5


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one set of scores. None is undefined; `why` has the reason.

    Attributes:
        n: Samples.
        n_real: Reals among them.
        n_fake: Fakes among them.
        n_groups: Groups of media that belong together; None where none were given.
        threshold: From which probability a sample counts as fake; None where it varies by sample.
        auc: Area under the ROC curve.
        average_precision: Area under the precision-recall curve, by steps.
        eer: Rate at which misses and false alarms are equal.
        log_loss: Mean negative log-likelihood, nats.
        brier: Mean squared error of the probability.
        ece: Expected calibration error, 15 bins of equal mass.
        accuracy: At the threshold, as are all below up to `false_alarm_rate`.
        balanced_accuracy: Mean of the two classes' recalls.
        precision: Fakes among what is called fake.
        recall: Fakes that are called fake.
        f1: Harmonic mean of precision and recall.
        false_alarm_rate: Reals that are called fake.
        tpr_at_fpr_1: Highest recall at a false-alarm rate of at most 1 %, read off this ROC curve.
        tpr_at_fpr_5: The same at 5 %.
        cllr: Cost of the likelihood ratios, bits; 1 is knowing nothing.
        min_cllr: The least that their order allows.
        why: By name of the metric.
    """

    n: int
    n_real: int
    n_fake: int
    n_groups: int | None = None
    threshold: float | None = None
    auc: float | None = None
    average_precision: float | None = None
    eer: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    ece: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    false_alarm_rate: float | None = None
    tpr_at_fpr_1: float | None = None
    tpr_at_fpr_5: float | None = None
    cllr: float | None = None
    min_cllr: float | None = None
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Samples:
    """Checked input.

    Attributes:
        is_fake: The label.
        prob: Probability of a fake.
        rank: What orders them.
        called: Whether it is called fake.
        log_lr: Natural logarithm of the likelihood ratio; None where none was given.
    """

    is_fake: NDArray[np.bool_]
    prob: FloatArray
    rank: FloatArray
    called: NDArray[np.bool_]
    log_lr: FloatArray | None = None


def binary_metrics(
    labels: ArrayLike,
    prob: ArrayLike,
    *,
    rank: ArrayLike | None = None,
    threshold: float | ArrayLike = 0.5,
    groups: ArrayLike | None = None,
    log_lr: ArrayLike | None = None,
) -> Metrics:
    """Return all metrics of scores with known labels.

    Args:
        labels: 1 fake, 0 real.
        prob: Probability of a fake, 0 to 1; calibrated ones for log loss, Brier and ECE to mean
            something.
        rank: Orders the samples for AUC and average precision, such as calibrated log-odds, which
            do not saturate at 1 as probabilities do; None means `prob`.
        threshold: Fixed elsewhere (on `val`); one, or one a sample.
        groups: Only counted here; `bootstrap_intervals` draws from them.
        log_lr: Natural logarithms of likelihood ratios, for Cllr.

    Raises:
        DataError: Lengths differ, or a value is out of range.
    """
    samples = check_samples(labels, prob, rank, threshold, log_lr=log_lr)
    values, why = values_of(samples)
    return Metrics(
        n=len(samples.is_fake),
        n_real=int((~samples.is_fake).sum()),
        n_fake=int(samples.is_fake.sum()),
        n_groups=None if groups is None else len(np.unique(np.asarray(groups))),
        threshold=float(np.asarray(threshold)) if np.ndim(threshold) == 0 else None,
        **values,
        why=why,
    )


def values_of(samples: Samples) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return each metric by name, None where it is undefined, and why it is undefined."""
    values: dict[str, float | None] = {}
    why: dict[str, str] = {}
    for name, (compute, reason_of) in _METRICS.items():
        reason = reason_of(samples)
        values[name] = None if reason else float(compute(samples))
        if reason:
            why[name] = reason
    return values, why


def expected_calibration_error(labels: ArrayLike, prob: ArrayLike) -> float:
    """Return the mean gap between probability and frequency over 15 bins of equal mass.

    Equal probabilities share their mean label, so the result does not depend on the order.
    Source: Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning",
    with bins of equal mass as in Nixon et al. 2019, "Measuring calibration in deep learning".
    """
    probs = np.asarray(prob, dtype=np.float64)
    weights = np.ones((1, len(probs)))
    return float(weighted_ece(np.asarray(labels).astype(bool), probs, weights)[0])


def wilson_interval(successes: int, n: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a rate, or None without a sample.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Example:
        >>> [round(x, 3) for x in wilson_interval(9, 10)]
        [0.596, 0.982]
    """
    if n == 0:
        return None
    interval = binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def headline_accuracy(
    labels: ArrayLike, prob: ArrayLike, *, threshold: float | ArrayLike = 0.5
) -> float | None:
    """Return the share of all files that are called right; one without a score is wrong.

    Args:
        labels: 1 fake, 0 real, of every file.
        prob: NaN where there is no score.
        threshold: One, or one a file.
    """
    is_fake, probs = np.asarray(labels).astype(bool), np.asarray(prob, dtype=np.float64)
    if not len(is_fake):
        return None
    called = probs >= np.asarray(threshold, dtype=np.float64)
    return float((~np.isnan(probs) & (called == is_fake)).mean())


def operating_point(
    labels: ArrayLike, prob: ArrayLike, *, threshold: float
) -> dict[str, float | None]:
    """Return the rates at a threshold that was fixed elsewhere.

    Returns:
        `threshold`, `tpr` and `fpr`; a rate is None without a sample of its class.
    """
    is_fake = np.asarray(labels).astype(bool)
    called = np.asarray(prob, dtype=np.float64) >= threshold
    return {
        "threshold": threshold,
        "tpr": float(called[is_fake].mean()) if is_fake.any() else None,
        "fpr": float(called[~is_fake].mean()) if (~is_fake).any() else None,
    }


def precision_at_prevalence(
    tpr: float | None, fpr: float | None, *, shares: Sequence[float] = (0.5, 0.1, 0.01)
) -> dict[float, float | None]:
    """Return the precision at some shares of fakes among the files.

    Args:
        tpr: Recall at the threshold.
        fpr: False-alarm rate at the threshold.
        shares: Shares of fakes among what comes in.

    Returns:
        By share; None where a rate is unknown or nothing would be called fake.

    Example:
        >>> round(precision_at_prevalence(0.9, 0.05)[0.01], 3)
        0.154
    """
    if tpr is None or fpr is None or tpr + fpr == 0:
        return dict.fromkeys(shares)
    return {share: share * tpr / (share * tpr + (1 - share) * fpr) for share in shares}


def weighted_ece(is_fake: NDArray[np.bool_], prob: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the expected calibration error under several weightings of the same samples.

    Args:
        is_fake: Shape (N,).
        prob: Shape (N,).
        weights: Shape (D, N), none of a row all zero.

    Returns:
        Shape (D,).
    """
    order = np.argsort(prob, kind="stable")
    values, starts = np.unique(prob[order], return_index=True)
    mass = np.add.reduceat(weights[:, order], starts, axis=1)  # (D, U)
    fakes = np.add.reduceat((weights * is_fake)[:, order], starts, axis=1)
    total = mass.sum(axis=1, keepdims=True)
    middle = (np.cumsum(mass, axis=1) - mass / 2) / total
    bins = np.minimum((middle * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    cells = bins + ECE_BINS * np.arange(len(weights))[:, None]
    gaps = np.bincount(
        cells.ravel(), (mass * values - fakes).ravel(), minlength=ECE_BINS * len(weights)
    )
    error: FloatArray = np.abs(gaps).reshape(-1, ECE_BINS).sum(axis=1) / total[:, 0]
    return error


def check_samples(
    labels: ArrayLike,
    prob: ArrayLike,
    rank: ArrayLike | None,
    threshold: float | ArrayLike,
    *,
    log_lr: ArrayLike | None = None,
) -> Samples:
    """Return the input of a metric as arrays.

    Raises:
        DataError: Lengths differ, or a value is out of range.
    """
    classes = np.asarray(labels)
    probs = np.asarray(prob, dtype=np.float64)
    ranks = probs if rank is None else np.asarray(rank, dtype=np.float64)
    ratios = None if log_lr is None else np.asarray(log_lr, dtype=np.float64)
    shapes = [array.shape for array in (classes, probs, ranks, ratios) if array is not None]
    if classes.ndim != 1 or len(set(shapes)) > 1:
        raise DataError(
            "labels, prob and rank must be of one length, "
            f"got {', '.join(str(shape) for shape in shapes)}"
        )
    if not np.isin(classes, (0, 1)).all():
        raise DataError("labels are 1 (fake) and 0 (real)")
    if ratios is not None and not np.isfinite(ratios).all():
        raise DataError("a likelihood ratio is not a finite number over 0")
    if not (np.isfinite(ranks).all() and ((probs >= 0) & (probs <= 1)).all()):
        raise DataError("a score is not finite, or a probability is not in 0..1")
    called = probs >= np.broadcast_to(np.asarray(threshold, dtype=np.float64), probs.shape)
    return Samples(classes.astype(bool), prob=probs, rank=ranks, called=called, log_lr=ratios)


def needs_both(samples: Samples) -> str | None:
    """Return why a metric of two classes is undefined here, or None."""
    if not len(samples.is_fake):
        return "there are no samples"
    if samples.is_fake.all():
        return "only fakes are there"
    return None if samples.is_fake.any() else "only reals are there"


def _needs_any(samples: Samples) -> str | None:
    return None if len(samples.is_fake) else "there are no samples"


def _needs_fakes(samples: Samples) -> str | None:
    return None if samples.is_fake.any() else "no fakes are there"


def _needs_reals(samples: Samples) -> str | None:
    return None if (~samples.is_fake).any() else "no reals are there"


def _needs_called(samples: Samples) -> str | None:
    return needs_both(samples) or (None if samples.called.any() else "nothing is called fake")


def _needs_bins(samples: Samples) -> str | None:
    wanted, n = ECE_BINS * _MIN_PER_BIN, len(samples.is_fake)
    too_few = f"{n} samples, at least {wanted} are needed" if n < wanted else None
    return needs_both(samples) or too_few


def _needs_ratios(samples: Samples) -> str | None:
    absent = "there are no likelihood ratios" if samples.log_lr is None else None
    return needs_both(samples) or absent


def _needs_false_alarms(rate: float) -> Callable[[Samples], str | None]:
    wanted = round(_MIN_FALSE_ALARMS / rate)

    def reason(samples: Samples) -> str | None:
        n_real = int((~samples.is_fake).sum())
        too_few = f"{n_real} reals, at least {wanted} are needed" if n_real < wanted else None
        return needs_both(samples) or too_few

    return reason


def equal_error_rate(samples: Samples) -> float:
    """Return the rate at which misses and false alarms are equal, of samples of both classes."""
    fpr, tpr, _ = sk.roc_curve(samples.is_fake, samples.rank, drop_intermediate=False)
    gap = (1 - tpr) - fpr  # falls from 1 to -1 along the curve
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(fpr[after - 1] + share * (fpr[after] - fpr[after - 1]))


def _tpr_at(rate: float) -> Callable[[Samples], float]:
    def compute(samples: Samples) -> float:
        fpr, tpr, _ = sk.roc_curve(samples.is_fake, samples.rank, drop_intermediate=False)
        return float(tpr[fpr <= rate].max())

    return compute


def _log_loss(samples: Samples) -> float:
    return float(sk.log_loss(samples.is_fake, samples.prob, labels=[False, True]))


_Compute = Callable[[Samples], float]
_Reason = Callable[[Samples], str | None]
# A probability holds for a prior; on one class alone it cannot be judged, so those need both.
_METRICS: dict[str, tuple[_Compute, _Reason]] = {
    "auc": (lambda s: sk.roc_auc_score(s.is_fake, s.rank), needs_both),
    "average_precision": (lambda s: sk.average_precision_score(s.is_fake, s.rank), needs_both),
    "eer": (equal_error_rate, needs_both),
    "log_loss": (_log_loss, needs_both),
    "brier": (lambda s: sk.brier_score_loss(s.is_fake, s.prob), needs_both),
    "ece": (lambda s: expected_calibration_error(s.is_fake, s.prob), _needs_bins),
    "accuracy": (lambda s: sk.accuracy_score(s.is_fake, s.called), _needs_any),
    "balanced_accuracy": (lambda s: sk.balanced_accuracy_score(s.is_fake, s.called), needs_both),
    "precision": (lambda s: sk.precision_score(s.is_fake, s.called), _needs_called),
    "recall": (lambda s: sk.recall_score(s.is_fake, s.called), _needs_fakes),
    "f1": (lambda s: sk.f1_score(s.is_fake, s.called), needs_both),
    "false_alarm_rate": (lambda s: float(s.called[~s.is_fake].mean()), _needs_reals),
    "tpr_at_fpr_1": (_tpr_at(0.01), _needs_false_alarms(0.01)),
    "tpr_at_fpr_5": (_tpr_at(0.05), _needs_false_alarms(0.05)),
    "cllr": (lambda s: cllr(s.is_fake, np.asarray(s.log_lr)), _needs_ratios),
    "min_cllr": (lambda s: min_cllr(s.is_fake, np.asarray(s.log_lr)), _needs_ratios),
}
