"""Compute an AUC among reals and fakes that one property cannot tell apart.

Where fakes are sharper than reals, or larger, a detector looks good that has learnt nothing else.
Files are binned by that property, and in each bin both classes weigh alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from deepfake.errors import DataError
from deepfake.types import FloatArray

__all__ = ["DEFAULT_BINS", "BinnedAuc", "match_by_bins"]

DEFAULT_BINS = 20


@dataclass(frozen=True, slots=True)
class BinnedAuc:
    """An AUC after both classes were given equal weight in each bin of a property.

    Attributes:
        auc: Of the scores; None is undefined, and `why` has the reason.
        auc_of_property: What the property alone still tells within its bins; about 0.5 where the
            bins are narrow enough.
        n_matched: Files of each class that have a partner in their bin.
        num_bins: Bins that hold any file.
        why: Why there is no AUC.
    """

    auc: float | None
    auc_of_property: float | None
    n_matched: int
    num_bins: int
    why: str | None = None


def match_by_bins(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    property_values: ArrayLike,
    num_bins: int = DEFAULT_BINS,
) -> BinnedAuc:
    """Return the AUC that is left when a property tells nothing.

    Bins hold equal numbers of files. In a bin of r reals and f fakes, both classes weigh min(r, f):
    the AUC is the mean over all ways of keeping equally many of both, without drawing any.

    Args:
        labels: 1 fake, 0 real.
        scores: In any unit that rises with fake.
        property_values: The property, such as sharpness; only its order counts. Files without it
            are left out.
        num_bins: Bins, at least 1.

    Raises:
        DataError: Lengths differ, a score is not finite, or there is no bin.

    Example:
        >>> found = match_by_bins([0, 0, 1, 1], [1, 2, 3, 4], property_values=[1, 1, 1, 1])
        >>> found.auc, found.auc_of_property, found.n_matched
        (1.0, 0.5, 2)
    """
    is_fake, values, along = _checked(labels, scores, property_values, num_bins)
    bins = _bins_of(along, num_bins=num_bins)
    counts = np.zeros((2, num_bins), dtype=np.int64)
    np.add.at(counts, (is_fake.astype(np.int64), bins), 1)
    matched = counts.min(axis=0)
    n_matched, filled = int(matched.sum()), int((counts.sum(axis=0) > 0).sum())
    if not n_matched:
        return BinnedAuc(None, None, 0, filled, why=_why_none(is_fake))
    weights = (matched / np.maximum(counts, 1))[is_fake.astype(np.int64), bins]
    kept = weights > 0
    auc, alone = (
        float(sk.roc_auc_score(is_fake[kept], column[kept], sample_weight=weights[kept]))
        for column in (values, along)
    )
    return BinnedAuc(auc, alone, n_matched, filled)


def _checked(
    labels: ArrayLike, scores: ArrayLike, property_values: ArrayLike, num_bins: int
) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
    classes = np.asarray(labels)
    values, along = (np.asarray(column, dtype=np.float64) for column in (scores, property_values))
    if classes.ndim != 1 or not classes.shape == values.shape == along.shape:
        raise DataError(
            "labels, scores and property must be of one length, "
            f"got {classes.shape}, {values.shape} and {along.shape}"
        )
    if num_bins < 1 or not np.isin(classes, (0, 1)).all() or not np.isfinite(values).all():
        raise DataError(
            f"expected labels of 0 and 1, finite scores and at least 1 bin, got {num_bins} bins"
        )
    is_known = np.isfinite(along)
    return classes[is_known].astype(bool), values[is_known], along[is_known]


def _bins_of(along: FloatArray, *, num_bins: int) -> NDArray[np.int64]:
    if not len(along):
        return np.empty(0, np.int64)
    edges = np.quantile(along, np.linspace(0, 1, num_bins + 1)[1:-1])
    return np.searchsorted(edges, along, side="right").astype(np.int64)


def _why_none(is_fake: NDArray[np.bool_]) -> str:
    if not len(is_fake):
        return "there are no files"
    if is_fake.all():
        return "only fakes are there"
    return "no bin holds both classes" if is_fake.any() else "only reals are there"
