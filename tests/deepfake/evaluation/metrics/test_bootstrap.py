"""Intervals and comparisons."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from deepfake.errors import DataError
from deepfake.evaluation.metrics import (
    MIN_GROUPS,
    binary_metrics,
    bootstrap_intervals,
    paired_bootstrap,
)
from deepfake.evaluation.metrics.bootstrap import _ap_draws, _auc_draws
from deepfake.evaluation.metrics.point import weighted_ece


def scores(n: int, *, seed: int = 0, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and true probabilities of two unit Gaussians."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    values = rng.normal(size=n) + labels * shift
    return labels, 1 / (1 + np.exp(-(shift * values - shift**2 / 2)))


def test_weighted_draws_agree_with_scikit_learn() -> None:
    labels, prob = scores(200)
    rank = np.round(prob, 1)  # many ties
    weights = np.random.default_rng(1).integers(0, 4, (20, 200)).astype(float)
    is_fake = labels.astype(bool)
    auc = [roc_auc_score(labels, rank, sample_weight=w) for w in weights]
    np.testing.assert_allclose(_auc_draws(is_fake, rank, weights), auc)
    area = [average_precision_score(labels, rank, sample_weight=w) for w in weights]
    np.testing.assert_allclose(_ap_draws(is_fake, rank, weights), area)
    repeated = [np.repeat(np.arange(200), w.astype(int)) for w in weights]
    ece = [weighted_ece(is_fake[r], prob[r], np.ones((1, len(r))))[0] for r in repeated]
    np.testing.assert_allclose(weighted_ece(is_fake, prob, weights), ece)


def test_intervals_hold_the_value_and_shrink_with_the_number_of_groups() -> None:
    labels, prob = scores(400)
    log_lr = np.log(prob / (1 - prob))
    point = binary_metrics(labels, prob, log_lr=log_lr)
    many, few = (
        bootstrap_intervals(labels, prob, groups=groups, log_lr=log_lr, draws=500)
        for groups in (np.arange(400), np.arange(400) // 20)
    )
    for name, interval in many.values.items():
        assert interval is not None
        assert interval[0] <= getattr(point, name) <= interval[1], name
    assert (many.n_groups, few.n_groups) == (400, 20)


def test_groups_that_repeat_one_file_count_once() -> None:
    labels, prob = scores(60)
    copies = np.repeat(np.arange(60), 10)
    alone = bootstrap_intervals(labels, prob, groups=np.arange(60), draws=500)
    copied = bootstrap_intervals(labels[copies], prob[copies], groups=copies, draws=500)
    assert alone.values["auc"] == pytest.approx(copied.values["auc"])
    naive = bootstrap_intervals(labels[copies], prob[copies], groups=np.arange(600), draws=500)
    wide, narrow = copied.values["auc"], naive.values["auc"]
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(100):
        labels, prob = scores(150, seed=seed)
        interval = bootstrap_intervals(labels, prob, groups=np.arange(150), draws=200).values["auc"]
        assert interval is not None
        hits += interval[0] <= 0.7602 <= interval[1]  # Phi(1 / sqrt 2)
    assert 86 <= hits <= 100


def test_too_few_groups_are_not_estimable() -> None:
    labels, prob = scores(90)
    found = bootstrap_intervals(labels, prob, groups=np.arange(90) % (MIN_GROUPS - 1))
    assert (found.n_groups, found.draws) == (9, 0)
    assert set(found.values.values()) == {None}
    assert found.why["auc"] == "not estimable: 9 groups, at least 10 are needed"


def test_one_class_has_an_interval_for_its_rate_alone() -> None:
    found = bootstrap_intervals(np.ones(50, int), np.linspace(0, 1, 50), groups=np.arange(50))
    assert found.values["auc"] is None
    assert "only fakes" in found.why["auc"]
    assert found.values["recall"] is not None


def test_same_seed_same_interval_whatever_the_order() -> None:
    labels, prob = scores(120)
    groups = np.array([f"g{i // 3}" for i in range(120)])
    order = np.random.default_rng(5).permutation(120)
    first = bootstrap_intervals(labels, prob, groups=groups, draws=300, seed=4)
    again = bootstrap_intervals(labels[order], prob[order], groups=groups[order], draws=300, seed=4)
    assert first.values["auc"] == pytest.approx(again.values["auc"])
    other = bootstrap_intervals(labels, prob, groups=groups, draws=300, seed=5)
    assert first.values["auc"] != other.values["auc"]


def test_twelve_hundred_files_take_seconds() -> None:
    labels, prob = scores(1200)
    start = time.process_time()
    bootstrap_intervals(labels, prob, groups=np.arange(1200))
    assert time.process_time() - start < 8.0


def test_a_better_detector_is_distinguished_from_a_worse_one_and_from_itself() -> None:
    labels, good = scores(400, shift=2.0)
    bad = good + np.random.default_rng(2).normal(scale=0.5, size=400)
    groups = np.arange(400) // 2
    found = paired_bootstrap(labels, bad, good, groups, draws=500)
    assert found.difference is not None
    assert found.low is not None
    assert found.p_value is not None
    assert found.low > 0
    assert found.p_value < 0.01
    itself = paired_bootstrap(labels, good, good * 3, groups, draws=500)
    assert (itself.difference, itself.low, itself.high, itself.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_comparisons_that_cannot_be_made() -> None:
    few = paired_bootstrap([0, 1] * 4, np.arange(8.0), np.arange(8.0), np.arange(8))
    assert few.difference == 0.0
    assert few.low is None
    assert "8 groups" in few.why["interval"]
    one_class = paired_bootstrap([1] * 20, np.arange(20.0), np.arange(20.0), np.arange(20))
    assert one_class.auc_a is None
    assert one_class.why == {"auc": "only fakes are there"}
    with pytest.raises(DataError, match="length"):
        paired_bootstrap([0, 1], [0.1, 0.2], [0.1], [0, 1])
    with pytest.raises(DataError, match="groups"):
        paired_bootstrap([0, 1], [0.1, 0.2], [0.1, 0.2], [0])
