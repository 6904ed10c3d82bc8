"""The population stability index, and how large it gets by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from deepfake.errors import DataError

__all__ = ["chance_index", "stability_index"]


def stability_index(expected: ArrayLike, actual: ArrayLike) -> float:
    """Return how far two distributions over the same bins lie apart.

    The sum over bins of `(actual - expected) * ln(actual / expected)`: 0 for equal ones.

    Source: Siddiqi, Credit Risk Scorecards, Wiley 2006, chapter 9.

    Args:
        expected: Shares, each positive, together 1, shape (B,).
        actual: The same of what is compared.

    Raises:
        DataError: They are no shares of the same bins.

    Example:
        >>> round(stability_index([0.5, 0.5], [0.75, 0.25]), 4)
        0.2747
    """
    one, other = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise DataError(f"expected shares of the same bins, got {one.shape} and {other.shape}")
    for shares in (one, other):
        if not (shares > 0).all() or not np.isclose(shares.sum(), 1.0):
            raise DataError("expected positive shares that add up to 1")
    return float(((other - one) * np.log(other / one)).sum())


def chance_index(
    *, num_bins: int, num_expected: float, num_actual: float, level: float = 0.99
) -> float:
    """Return what the index stays under by chance alone, where nothing has moved.

    Without it twenty files would be called moved nearly always: nine in a hundred of them lie in
    no bin as expected.

    Source: Yurdakul and Naranjo, Statistical properties of the population stability index,
    Journal of Risk Model Validation 14 (2020): over `1/N + 1/M` it is distributed as chi-squared
    with one degree of freedom less than bins.

    Args:
        num_bins: At least 2.
        num_expected: Samples of the reference; fewer than counted where they are weighted.
        num_actual: Samples that are compared with it.
        level: How often it stays under.

    Example:
        >>> round(chance_index(num_bins=10, num_expected=1000, num_actual=1000), 3)
        0.043
    """
    spread = 1 / num_expected + 1 / num_actual
    # scipy.stats, which has the distribution by name, takes seconds to import.
    from scipy.special import chdtri

    return float(chdtri(num_bins - 1, 1 - level) * spread)
