"""The AUC that is left where sharpness or size tells nothing."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detectors.matched_bins import match_by_bins
from deepfake.errors import DataError


def test_a_hand_made_example() -> None:
    # Two bins. The blurred one holds 2 reals and 1 fake, the sharp one 1 real and 2 fakes, so
    # that one real and one fake of each are kept. Over all ways of keeping them: the fake of the
    # blurred bin (5) is above each of its reals (1, 3) and below the sharp real (6); the fakes of
    # the sharp bin (4, 8) are above blurred reals always, above the sharp one in half of the ways.
    labels = [0, 0, 1, 0, 1, 1]
    scores = [1.0, 3.0, 5.0, 6.0, 4.0, 8.0]
    sharpness = [10, 10, 10, 90, 90, 90]
    found = match_by_bins(labels, scores, property_values=sharpness, num_bins=2)
    assert (found.n_matched, found.num_bins) == (2, 2)
    assert found.auc == pytest.approx((1 + 0 + 1 + 0.5) / 4)
    assert found.auc_of_property == pytest.approx(0.5)


def test_the_weights_are_the_mean_over_draws_of_equal_numbers() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    sharpness = rng.normal(labels, 1.0)
    scores = rng.normal(labels, 1.0)
    edges = np.quantile(sharpness, [0.25, 0.5, 0.75])
    bins = np.searchsorted(edges, sharpness, side="right")
    drawn = []
    for _ in range(1000):
        kept: list[int] = []
        for number in range(4):
            sides = [np.flatnonzero((bins == number) & (labels == label)) for label in (0, 1)]
            few = min(map(len, sides))
            kept += [row for side in sides for row in rng.permutation(side)[:few]]
        fakes, reals = (scores[[r for r in kept if labels[r] == label]] for label in (1, 0))
        drawn.append(float((fakes[:, None] > reals[None, :]).mean()))
    found = match_by_bins(labels, scores, property_values=sharpness, num_bins=4)
    assert found.auc == pytest.approx(float(np.mean(drawn)), abs=0.01)


def test_where_sharpness_alone_decides_nothing_is_left() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 1000)
    sharpness = rng.normal(1.0 * labels, 1.0)
    scores = sharpness + rng.normal(0, 0.1, 2000)
    plain = np.mean(scores[labels == 1][:, None] > scores[labels == 0][None, :])
    found = match_by_bins(labels, scores, property_values=sharpness)
    assert plain > 0.74
    assert found.auc == pytest.approx(0.5, abs=0.03)
    assert found.auc_of_property == pytest.approx(0.5, abs=0.03)


def test_what_sharpness_does_not_explain_stays() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 1000)
    sharpness = rng.normal(1.0 * labels, 1.0)
    signal = rng.normal(1.0 * labels, 1.0)
    found = match_by_bins(labels, signal, property_values=sharpness)
    assert found.auc == pytest.approx(0.76, abs=0.03)
    assert 500 < found.n_matched < 1000


@pytest.mark.parametrize(
    ("labels", "by", "why"),
    [
        ([1, 1], [1.0, 2.0], "only fakes are there"),
        ([0, 0], [1.0, 2.0], "only reals are there"),
        ([], [], "there are no files"),
        ([0, 1], [np.nan, np.nan], "there are no files"),
        ([0, 0, 1, 1], [1.0, 2.0, 8.0, 9.0], "no bin holds both classes"),
    ],
)
def test_undefined_says_why(labels: list[int], by: list[float], why: str) -> None:
    found = match_by_bins(labels, np.zeros(len(labels)), property_values=by, num_bins=2)
    assert (found.auc, found.auc_of_property, found.n_matched) == (None, None, 0)
    assert found.why == why


def test_files_without_the_property_are_left_out() -> None:
    found = match_by_bins(
        [0, 1, 1], [1.0, 2.0, 0.0], property_values=[5.0, 5.0, np.nan], num_bins=1
    )
    assert (found.auc, found.n_matched) == (1.0, 1)


@pytest.mark.parametrize(
    ("labels", "scores", "by", "num_bins"),
    [
        ([0, 1], [1.0], [1.0, 2.0], 2),
        ([0, 2], [1.0, 2.0], [1.0, 2.0], 2),
        ([0, 1], [1.0, np.inf], [1.0, 2.0], 2),
        ([0, 1], [1.0, 2.0], [1.0, 2.0], 0),
    ],
)
def test_bad_input_is_an_error(
    labels: list[int], scores: list[float], by: list[float], num_bins: int
) -> None:
    with pytest.raises(DataError):
        match_by_bins(labels, scores, property_values=by, num_bins=num_bins)
