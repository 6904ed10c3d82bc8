"""Metrics of one set of scores."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepfake.errors import DataError
from deepfake.evaluation.metrics import (
    Metrics,
    binary_metrics,
    expected_calibration_error,
    headline_accuracy,
    operating_point,
    precision_at_prevalence,
    wilson_interval,
)

NEED_BOTH = {
    "auc", "average_precision", "eer", "log_loss", "brier", "ece", "balanced_accuracy", "precision",
    "f1", "tpr_at_fpr_1", "tpr_at_fpr_5",
}  # fmt: skip


def scores(n: int, *, seed: int = 0, shift: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and true probabilities of two unit Gaussians."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n)
    values = rng.normal(size=2 * n) + labels * shift
    return labels, 1 / (1 + np.exp(-(shift * values - shift**2 / 2)))


def test_by_hand() -> None:
    labels, prob = [0, 0, 0, 1, 1], [0.1, 0.4, 0.7, 0.6, 0.9]
    found = binary_metrics(labels, prob)
    assert (found.n, found.n_real, found.n_fake) == (5, 3, 2)
    assert found.auc == pytest.approx(5 / 6)
    assert found.accuracy == pytest.approx(0.8)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == 1.0
    assert found.f1 == pytest.approx(0.8)
    assert found.false_alarm_rate == pytest.approx(1 / 3)
    assert found.balanced_accuracy == pytest.approx(5 / 6)
    assert found.brier == pytest.approx((0.01 + 0.16 + 0.49 + 0.16 + 0.01) / 5)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_undefined_and_says_so(label: int) -> None:
    found = binary_metrics(np.full(600, label), np.linspace(0, 1, 600))
    for name in NEED_BOTH:
        assert getattr(found, name) is None, name
        assert ("fakes" if label else "reals") in found.why[name]
    assert found.accuracy == 0.5
    assert (found.recall, found.false_alarm_rate) == ((0.5, None) if label else (None, 0.5))


def test_nothing_at_all() -> None:
    found = binary_metrics([], [])
    named = [
        f.name
        for f in fields(Metrics)
        if f.name not in {"n", "n_real", "n_fake", "threshold", "why"}
    ]
    assert all(getattr(found, name) is None for name in named)


def test_nothing_called_fake_has_no_precision() -> None:
    found = binary_metrics([0, 1, 1], [0.1, 0.2, 0.3])
    assert found.precision is None
    assert "nothing" in found.why["precision"]
    assert (found.recall, found.f1) == (0.0, 0.0)


def test_tpr_at_a_false_alarm_rate_needs_five_false_alarms() -> None:
    for n, defined in ((99, (False, False)), (100, (False, True)), (500, (True, True))):
        found = binary_metrics(*scores(n))
        assert (found.tpr_at_fpr_1 is not None, found.tpr_at_fpr_5 is not None) == defined
    labels, prob = scores(500)
    at = np.sort(prob[labels == 0])[::-1][25]  # 25 of 500 reals lie over it
    assert binary_metrics(labels, prob).tpr_at_fpr_5 == pytest.approx(
        (prob[labels == 1] > at).mean()
    )


def test_eer_of_gaussians() -> None:
    labels, prob = scores(20000, shift=2.0)
    assert binary_metrics(labels, prob).eer == pytest.approx(0.1587, abs=0.005)
    assert binary_metrics([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]).eer == 0.0
    assert binary_metrics([0, 0, 1, 1], [0.5] * 4).eer == pytest.approx(0.5)


def test_ranks_do_not_saturate_as_probabilities_do() -> None:
    labels, odds = np.array([0, 1, 0, 1]), np.array([60.0, 70.0, 80.0, 90.0])
    prob = 1 / (1 + np.exp(-odds))
    assert binary_metrics(labels, prob).auc == 0.5
    assert binary_metrics(labels, prob, rank=odds).auc == pytest.approx(roc_auc_score(labels, odds))


def naive_ece(labels: np.ndarray, prob: np.ndarray) -> float:
    """Return it by the definition, for distinct probabilities and a multiple of 15 samples."""
    order = np.argsort(prob)
    parts = np.split(order, 15)
    return sum(len(p) * abs(labels[p].mean() - prob[p].mean()) for p in parts) / len(prob)


def test_ece_against_the_definition() -> None:
    labels, prob = scores(600)
    wrong = prob**2
    assert expected_calibration_error(labels, wrong) == pytest.approx(naive_ece(labels, wrong))
    assert expected_calibration_error(labels, wrong) > 3 * expected_calibration_error(labels, prob)


def test_ece_does_not_depend_on_the_order_of_equal_probabilities() -> None:
    labels, prob = np.repeat([0, 1], 100), np.full(200, 0.5)
    assert expected_calibration_error(labels, prob) == pytest.approx(0.0)
    assert binary_metrics([0, 1] * 30, [0.5] * 60).ece is None  # 60 samples for 15 bins


def test_headline_counts_every_file() -> None:
    prob = np.array([0.9, 0.1, np.nan, np.nan])
    assert headline_accuracy([1, 0, 0, 1], prob) == 0.5
    assert headline_accuracy([1, 0, 0, 1], prob, threshold=np.array([0.95, 0.5, 0.5, 0.5])) == 0.25
    assert headline_accuracy([], []) is None


def test_operating_point_and_precision_at_prevalence() -> None:
    assert operating_point([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], threshold=0.6) == {
        "threshold": 0.6,
        "tpr": 0.5,
        "fpr": 0.5,
    }
    assert operating_point([1], [0.9], threshold=0.6)["fpr"] is None
    found = precision_at_prevalence(0.8, 0.1)
    assert found[0.5] == pytest.approx(0.4 / 0.45)
    assert found[0.01] == pytest.approx(0.008 / (0.008 + 0.099))
    assert precision_at_prevalence(None, 0.1) == {0.5: None, 0.1: None, 0.01: None}
    assert precision_at_prevalence(0.0, 0.0)[0.5] is None


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 7), (5, 5)])
def test_wilson_by_the_formula(k: int, n: int) -> None:
    z, p = 1.959963984540054, k / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(k, n) == pytest.approx((middle - half, middle + half))


def test_wilson_without_a_sample() -> None:
    assert wilson_interval(0, 0) is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="length"):
        binary_metrics([0, 1], [0.5])
    with pytest.raises(DataError, match=r"0\.\.1"):
        binary_metrics([0, 1], [0.5, 1.5])
    with pytest.raises(DataError, match="not finite"):
        binary_metrics([0, 1], [0.5, 0.5], rank=[0.0, np.inf])
    with pytest.raises(DataError, match="labels are"):
        binary_metrics([0, 2], [0.5, 0.5])
