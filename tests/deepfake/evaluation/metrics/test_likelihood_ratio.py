"""Cllr, its least value, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.errors import DataError
from deepfake.evaluation.metrics import binary_metrics, bootstrap_intervals, cllr, min_cllr

REALS = [-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.3, 1.2]
FAKES = [-0.9, 0.2, 0.8, 1.4, 1.9, 2.2, 2.6, 3.1, 3.3, 4.5]
LABELS = np.repeat([0, 1], 10)
LOG_LR = np.array(REALS + FAKES)


def test_both_are_those_of_the_reference_implementation() -> None:
    # Computed by `lir.metrics` of lir 0.1.29 (Netherlands Forensic Institute).
    assert cllr(LABELS, LOG_LR) == pytest.approx(0.4650492598870815)
    assert min_cllr(LABELS, LOG_LR) == pytest.approx(0.3)


def test_by_hand() -> None:
    # A fake at 3 and a real at 1/3 each cost log2(4/3), a real at 3 costs log2(4).
    assert cllr([1, 0], np.log([3, 1 / 3])) == pytest.approx(np.log2(4 / 3))
    assert cllr([1, 0], np.log([3, 3])) == pytest.approx((np.log2(4 / 3) + 2) / 2)


def test_the_number_of_files_of_a_class_does_not_count() -> None:
    many = np.concatenate([LABELS, np.zeros(90, int)])
    values = np.concatenate([LOG_LR, np.tile(REALS, 9)])
    assert cllr(many, values) == pytest.approx(cllr(LABELS, LOG_LR))
    assert min_cllr(many, values) == pytest.approx(min_cllr(LABELS, LOG_LR))


def test_scaling_costs_and_does_not_change_the_least() -> None:
    assert cllr(LABELS, 5 * LOG_LR) > cllr(LABELS, LOG_LR) >= min_cllr(LABELS, LOG_LR)
    assert min_cllr(LABELS, 5 * LOG_LR + 3) == pytest.approx(min_cllr(LABELS, LOG_LR))
    assert min_cllr(LABELS, np.zeros(20)) == pytest.approx(1.0)


def test_misleading_values_cost_more_than_knowing_nothing() -> None:
    assert cllr(LABELS, -LOG_LR) > 1
    assert min_cllr(LABELS, -LOG_LR) <= 1


def test_without_likelihood_ratios_or_with_one_class_there_is_none() -> None:
    prob = np.full(20, 0.5)
    without, one_class = binary_metrics(LABELS, prob), binary_metrics([1], [0.5], log_lr=[0.0])
    assert (without.cllr, without.min_cllr, one_class.cllr) == (None, None, None)
    assert "likelihood" in without.why["cllr"]
    assert one_class.why["cllr"] == "only fakes are there"
    with pytest.raises(DataError, match="likelihood ratio"):
        binary_metrics([0, 1], [0.5, 0.5], log_lr=[0.0, np.inf])


def test_the_interval_holds_the_value() -> None:
    rng = np.random.default_rng(0)
    log_lr = np.concatenate([rng.normal(-2, 2, 100), rng.normal(2, 2, 100)])
    labels, prob = np.repeat([0, 1], 100), np.full(200, 0.5)
    found = bootstrap_intervals(labels, prob, groups=np.arange(200), log_lr=log_lr, draws=300)
    low, high = found.values["cllr"]  # type: ignore[misc]
    assert low < cllr(labels, log_lr) < high
    assert high - low < 0.3
    without = bootstrap_intervals(labels, prob, groups=np.arange(200), draws=50)
    assert without.values["cllr"] is None


def test_values_that_differ_by_rounding_alone_have_a_least_cllr() -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.repeat([0, 1], 25))
        values = 0.3 + rng.normal(size=50) * 1e-13
        assert 0 < min_cllr(labels, values) <= 1
