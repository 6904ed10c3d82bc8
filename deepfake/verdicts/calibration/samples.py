"""Check labelled numbers before something is fitted to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepfake.errors import DataError

__all__ = ["MIN_PER_CLASS", "check_fit_samples"]

MIN_PER_CLASS = 20
"""With fewer of either class a rate of 5 % is not one file; the default thresholds stand."""


def check_fit_samples(
    values: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return values and labels as arrays, the labels as whether each is fake.

    Args:
        values: Scores, shape (N,).
        labels: 1 for fake and 0 for real, shape (N,).

    Raises:
        DataError: Lengths differ, a value is not finite, or a label is neither 0 nor 1.
    """
    array = np.asarray(values, dtype=np.float64)
    classes = np.asarray(labels)
    if array.ndim != 1 or array.shape != classes.shape:
        raise DataError(
            f"values and labels must be of one length, got {array.shape} and {classes.shape}"
        )
    if not np.isfinite(array).all():
        raise DataError("a value is not a finite number")
    if not np.isin(classes, (0, 1)).all():
        raise DataError(f"labels are 1 (fake) and 0 (real), got {np.unique(classes).tolist()[:5]}")
    return array, classes.astype(bool)
