"""Pair reals and fakes by the size and the sharpness of the face.

Corpora differ in more than the forgery: a detector that reads the size of a face off its blur
looks good on them and fails outside. On pairs of one size and one sharpness that shortcut is worth
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from deepfake.errors import DataError
from deepfake.types import FloatArray

__all__ = ["DEFAULT_CALIPER", "MATCHED_ON", "MatchedPairs", "match_pairs"]

MATCHED_ON = ("face_px", "sharpness")

DEFAULT_CALIPER = 0.2
"""In standard deviations of each logarithm.

Source: Austin 2011, "Optimal caliper widths for propensity-score matching".
"""

_MAX_OPTIMAL = 3000
_NEIGHBOURS = 50
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """Pairs of a real and a fake, as rows of a table.

    Attributes:
        real_rows: Row positions in the table that was given, shape (n_pairs,).
        fake_rows: The fake of each real, shape (n_pairs,).
        n_real: Reals that could be paired: all that have the covariates.
        n_fake: Fakes that could be paired.
        caliper: Largest allowed difference, standard deviations of each logarithm.
        gap_before: Mean of fakes less mean of reals in standard deviations, by covariate.
        gap_after: The same over the pairs; None without a pair.
    """

    real_rows: NDArray[np.int64]
    fake_rows: NDArray[np.int64]
    n_real: int
    n_fake: int
    caliper: float
    gap_before: Mapping[str, float | None] = field(default_factory=dict)
    gap_after: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self.real_rows)


def match_pairs(
    files: pd.DataFrame,
    *,
    covariates: Sequence[str] = MATCHED_ON,
    caliper: float = DEFAULT_CALIPER,
) -> MatchedPairs:
    """Pair reals and fakes one to one where all covariates agree within the caliper.

    The scores play no part, so two detectors are compared on the same pairs. Up to 3,000 files a
    class the assignment is optimal (most pairs, then least distance), above it greedy by distance.

    Args:
        files: A row a file: `label` (`real`, `fake`) and the columns of `covariates`; rows where
            one of them is missing or not positive are left out.
        covariates: Columns that are compared, by logarithm.
        caliper: Largest difference in each, in standard deviations.

    Raises:
        DataError: The caliper is not positive, or a column is missing.
    """
    lacking = [name for name in ("label", *covariates) if name not in files.columns]
    if caliper <= 0 or lacking:
        raise DataError(f"cannot match: caliper {caliper}, missing columns {lacking}")
    values = files[list(covariates)].to_numpy(dtype=np.float64)  # (N, C)
    is_usable = (np.isfinite(values) & (values > 0)).all(axis=1)
    labels = files["label"].to_numpy(dtype=object)
    reals = np.flatnonzero(is_usable & (labels == "real"))
    fakes = np.flatnonzero(is_usable & (labels == "fake"))
    logs = np.log(np.where(is_usable[:, None], values, 1.0))
    scaled = logs / _spread_of(logs[np.concatenate([reals, fakes])])
    left, right = _paired(scaled[reals], scaled[fakes], caliper=caliper)
    pairs = reals[left], fakes[right]
    return MatchedPairs(
        real_rows=pairs[0],
        fake_rows=pairs[1],
        n_real=len(reals),
        n_fake=len(fakes),
        caliper=caliper,
        gap_before=_gaps(scaled, reals, fakes, covariates=covariates),
        gap_after=_gaps(scaled, *pairs, covariates=covariates),
    )


def _spread_of(logs: FloatArray) -> FloatArray:
    if len(logs) < 2:
        return np.ones(logs.shape[1])
    spread: FloatArray = np.maximum(logs.std(axis=0, ddof=1), _TINY)
    return spread


def _paired(
    reals: FloatArray, fakes: FloatArray, *, caliper: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not (len(reals) and len(fakes)):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if max(len(reals), len(fakes)) <= _MAX_OPTIMAL:
        return _paired_optimally(reals, fakes, caliper=caliper)
    return _paired_greedily(reals, fakes, caliper=caliper)


def _paired_optimally(
    reals: FloatArray, fakes: FloatArray, *, caliper: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    shape = len(reals), len(fakes)
    is_allowed, distance = np.ones(shape, bool), np.zeros(shape)  # both (R, F)
    for left_column, right_column in zip(reals.T, fakes.T, strict=True):
        difference = np.abs(left_column[:, None] - right_column[None, :])
        is_allowed &= difference <= caliper
        distance += difference**2
    np.sqrt(distance, out=distance)
    # One forbidden pair costs more than any set of allowed ones, so most pairs comes first.
    forbidden = (caliper * reals.shape[1] + 1.0) * (min(is_allowed.shape) + 1)
    left, right = linear_sum_assignment(np.where(is_allowed, distance, forbidden))
    kept = is_allowed[left, right]
    return left[kept].astype(np.int64), right[kept].astype(np.int64)


def _paired_greedily(
    reals: FloatArray, fakes: FloatArray, *, caliper: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    reach = caliper * np.sqrt(reals.shape[1])
    count = min(_NEIGHBOURS, len(fakes))
    distance, near = cKDTree(fakes).query(reals, k=count, distance_upper_bound=reach * (1 + _TINY))
    distance, near = distance.reshape(len(reals), -1), near.reshape(len(reals), -1)
    rows, columns = np.nonzero(np.isfinite(distance))
    others = near[rows, columns]
    is_allowed = np.asarray(np.abs(reals[rows] - fakes[others]).max(axis=1) <= caliper)
    rows, others, columns = rows[is_allowed], others[is_allowed], columns[is_allowed]
    order = np.lexsort((others, rows, distance[rows, columns]))
    taken_real, taken_fake = np.zeros(len(reals), bool), np.zeros(len(fakes), bool)
    left: list[int] = []
    right: list[int] = []
    for real, fake in zip(rows[order].tolist(), others[order].tolist(), strict=True):
        if not (taken_real[real] or taken_fake[fake]):
            taken_real[real] = taken_fake[fake] = True
            left.append(real)
            right.append(fake)
    return np.array(left, np.int64), np.array(right, np.int64)


def _gaps(
    scaled: FloatArray,
    reals: NDArray[np.int64],
    fakes: NDArray[np.int64],
    *,
    covariates: Sequence[str],
) -> dict[str, float | None]:
    if not (len(reals) and len(fakes)):
        return dict.fromkeys(covariates)
    gaps = scaled[fakes].mean(axis=0) - scaled[reals].mean(axis=0)
    return {name: float(gap) for name, gap in zip(covariates, gaps, strict=True)}
