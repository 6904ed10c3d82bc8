"""Cllr: how much likelihood ratios tell, and how much of that calibration loses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression

from deepfake.types import FloatArray

__all__ = ["cllr", "cllr_costs", "min_cllr"]


def cllr(labels: ArrayLike, log_lr: ArrayLike) -> float:
    """Return the log-likelihood-ratio cost, bits: 0 is perfect, 1 is knowing nothing.

    Over 1, the likelihood ratios do more harm than good. Each class counts half, whatever its
    number of files.
    Source: Brümmer and du Preez 2006, "Application-independent evaluation of speaker detection",
    Computer Speech and Language 20, 230-275, equation 9 of section 3.

    Args:
        labels: 1 fake, 0 real; both are there.
        log_lr: Natural logarithms of likelihood ratios, fake over real.

    Example:
        >>> cllr([0, 1], [0.0, 0.0])
        1.0
    """
    is_fake = np.asarray(labels).astype(bool)
    costs = cllr_costs(is_fake, np.asarray(log_lr, dtype=np.float64))
    return float((costs[is_fake].mean() + costs[~is_fake].mean()) / 2)


def cllr_costs(is_fake: NDArray[np.bool_], log_lr: FloatArray) -> FloatArray:
    """Return what each file adds to its class: `log2(1 + 1/LR)` of a fake, else `log2(1 + LR)`.

    Args:
        is_fake: Shape (N,).
        log_lr: Natural logarithms, shape (N,).
    """
    against = np.where(is_fake, -log_lr, log_lr)
    return np.asarray(np.logaddexp(0.0, against) / np.log(2.0), dtype=np.float64)


def min_cllr(labels: ArrayLike, log_lr: ArrayLike) -> float:
    """Return the least Cllr that likelihood ratios of this order can have.

    It is the loss by discrimination; Cllr minus it is the loss by calibration. The best values of
    an order are found by pooling adjacent violators (PAV), each class with the weight one half.
    Source: Brümmer and du Preez 2006, as for `cllr`, section 4 (optimisation by PAV).

    Args:
        labels: 1 fake, 0 real; both are there.
        log_lr: In any unit that rises with fake.

    Example:
        >>> min_cllr([0, 0, 1, 1], [-1.0, 0.0, 5.0, 9.0])
        0.0
    """
    is_fake = np.asarray(labels).astype(bool)
    weight = np.where(is_fake, 0.5 / is_fake.sum(), 0.5 / (~is_fake).sum())
    # Ranks: values that differ by rounding alone would be pooled and then interpolated apart.
    ranks = rankdata(np.asarray(log_lr, dtype=np.float64), method="dense")
    pooled = IsotonicRegression(y_min=0, y_max=1).fit_transform(
        ranks, is_fake.astype(np.float64), sample_weight=weight
    )
    own_class = np.where(is_fake, pooled, 1 - pooled)  # never 0: a pool holds each of its members
    cost = -(weight * np.log2(own_class)).sum()
    return min(abs(float(cost)), 1.0)  # rounding apart
