"""Probabilities and verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit

from deepfake.errors import ConfigError, DataError
from deepfake.types import Verdict
from deepfake.verdicts.calibration import (
    Calibration,
    Support,
    Thresholds,
    UncertainReason,
    choose_thresholds,
    fit_support,
    fit_temperature,
    judge,
    lower_for_unseen,
    shift_prior,
    verdict_of,
)


def gaussian_logits(n: int, *, seed: int = 0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return log-odds that are true for classes of one size (two unit Gaussians), times `scale`."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n)
    values = rng.normal(size=2 * n) + labels * 1.5
    return scale * (1.5 * values - 1.125), labels


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (4.0, 0.0), (0.3, 2.0), (200.0, -50.0)])
def test_the_truth_is_found_back(scale: float, offset: float) -> None:
    logits, labels = gaussian_logits(4000, scale=scale)
    fitted = fit_temperature(logits + offset, labels, fitted_on="still")
    true = logits / scale
    # 100 is the highest temperature that is looked for.
    expected = true if scale <= 100 else (logits + offset) / 100 + fitted.bias
    assert np.abs(fitted.log_odds(logits + offset) - expected).mean() < 0.1
    assert fitted.is_fitted
    assert fitted.fitted_on == "still"
    assert fitted.num_samples == 8000


def test_the_probability_holds_for_the_prior_not_for_the_mix() -> None:
    logits, labels = gaussian_logits(4000)
    kept = (labels == 1) | (np.arange(len(labels)) % 8 == 0)  # eight fakes a real
    even = fit_temperature(logits, labels)
    skewed = fit_temperature(logits[kept], labels[kept])
    assert abs(skewed.prob(0.0) - even.prob(0.0)) < 0.03
    rare = fit_temperature(logits, labels, prior=0.1)
    assert rare.prob(0.5) == pytest.approx(
        shift_prior(even.prob(0.5), from_prior=0.5, to_prior=0.1), abs=0.02
    )


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_the_identity_and_says_so(label: int) -> None:
    fitted = fit_temperature(np.linspace(-2, 2, 50), np.full(50, label))
    assert not fitted.is_fitted
    assert (fitted.temperature, fitted.bias, fitted.fitted_on) == (1.0, 0.0, "none")


def test_perfect_separation_and_an_inverted_detector_stay_finite() -> None:
    labels = np.repeat([0, 1], 30)
    perfect = fit_temperature(np.where(labels, 3.0, -3.0), labels)
    assert 0.9 < perfect.prob(3.0) < 1.0
    inverted = fit_temperature(np.where(labels, -3.0, 3.0), labels)
    assert inverted.prob(3.0) == pytest.approx(0.5, abs=0.05)


def test_prob_takes_numbers_and_arrays() -> None:
    calibration = Calibration(temperature=2.0, bias=1.0)
    assert isinstance(calibration.prob(3.0), float)
    assert calibration.prob(3.0) == pytest.approx(expit(2.5))
    np.testing.assert_allclose(calibration.prob(np.array([3.0, -2.0])), expit([2.5, 0.0]))
    # Far out the probability is 1 in floating point, and the log-odds still rank.
    assert calibration.prob(200.0) == calibration.prob(300.0) == 1.0
    assert calibration.log_odds(300.0) > calibration.log_odds(200.0)


def test_shift_prior_is_bayes() -> None:
    for prob in (0.02, 0.5, 0.97):
        ratio = (prob / 0.3) / ((1 - prob) / 0.7)  # likelihood ratio at a prior of 0.3
        expected = ratio * 0.01 / (ratio * 0.01 + 0.99)
        assert shift_prior(prob, from_prior=0.3, to_prior=0.01) == pytest.approx(expected)
    ends = shift_prior(np.array([0.0, 1.0]), from_prior=0.5, to_prior=0.01)
    assert ends.tolist() == [0.0, 1.0]
    with pytest.raises(ConfigError, match="prior"):
        shift_prior(0.5, from_prior=0.5, to_prior=1.0)


def test_thresholds_keep_their_promises() -> None:
    logits, labels = gaussian_logits(500, seed=3)
    prob = expit(logits)
    chosen = choose_thresholds(prob, labels, max_false_alarm=0.05, max_miss=0.02)
    assert (prob[labels == 0] >= chosen.fake_from).mean() <= 0.05
    assert (prob[labels == 1] < chosen.real_below).mean() <= 0.02
    # A little lower, or higher, and they would be broken.
    assert (prob[labels == 0] >= chosen.fake_from - 1e-12).mean() > 0.05
    assert (prob[labels == 1] <= chosen.real_below).mean() > 0.02
    assert chosen.is_fitted
    assert chosen.fpr_1 is not None
    assert chosen.fpr_1 > chosen.fake_from


def test_classes_far_apart_leave_a_band_inside_the_gap() -> None:
    prob = np.concatenate([np.linspace(0, 0.2, 40), np.linspace(0.9, 1, 40)])
    chosen = choose_thresholds(prob, np.repeat([0, 1], 40))
    assert (chosen.real_below, chosen.fake_from) == (0.45, 0.55)
    close = np.concatenate([np.linspace(0, 0.96, 40), np.linspace(0.97, 1, 40)])
    chosen = choose_thresholds(close, np.repeat([0, 1], 40))
    assert chosen.fake_from <= 1.0
    assert 0.9 < chosen.real_below <= chosen.fake_from


@pytest.mark.parametrize(("n_real", "n_fake"), [(0, 50), (50, 0), (19, 500), (0, 0)])
def test_few_files_leave_the_defaults_and_say_so(n_real: int, n_fake: int) -> None:
    labels = np.repeat([0, 1], [n_real, n_fake])
    chosen = choose_thresholds(np.full(len(labels), 0.99), labels)
    assert not chosen.is_fitted
    assert (chosen.real_below, chosen.fake_from, chosen.decision) == (0.35, 0.65, 0.5)
    assert (chosen.num_real, chosen.num_fake) == (n_real, n_fake)


def test_thresholds_at_a_false_alarm_rate_need_reals() -> None:
    logits, labels = gaussian_logits(150)
    chosen = choose_thresholds(expit(logits), labels)
    assert chosen.fpr_1 is None
    assert chosen.fpr_5 == chosen.fake_from


@pytest.mark.parametrize(
    ("prob", "verdict"),
    [
        (0.0, "real"),
        (0.2, "uncertain"),
        (0.69, "uncertain"),
        (0.7, "fake"),
        (None, "not_applicable"),
    ],
)
def test_verdicts(prob: float | None, verdict: str) -> None:
    assert verdict_of(prob, Thresholds(real_below=0.2, fake_from=0.7)) == Verdict(verdict)


def test_the_decision_lies_in_the_band() -> None:
    assert Thresholds(real_below=0.7, fake_from=0.8).decision == 0.7
    assert Thresholds(real_below=0.1, fake_from=0.2).decision == 0.2


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match=r"0\.\.1"):
        verdict_of(float("nan"), Thresholds())
    with pytest.raises(DataError, match="finite"):
        fit_temperature([np.nan, 1.0], [0, 1])
    with pytest.raises(DataError, match="labels are"):
        fit_temperature([0.0, 1.0], [1, 2])
    with pytest.raises(DataError, match="length"):
        choose_thresholds([0.1], [0, 1])
    with pytest.raises(ConfigError, match="max_miss"):
        choose_thresholds([0.1], [0], max_miss=1.5)
    with pytest.raises(ValidationError, match="real_below"):
        Thresholds(real_below=0.8, fake_from=0.2)
    with pytest.raises(ValidationError):
        Calibration(temperature=0.0)


SUPPORT = Support(min_face_px=60, min_sharpness=20, max_novelty=2, min_frames=3)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, None),
        ({"num_frames": 2}, "too few frames show the face: 2, needed 3"),
        ({"face_px": 59.0}, "the face is too small: 59 pixels"),
        ({"sharpness": 19.0}, "the face is too blurred"),
        ({"novelty": 2.1}, "the face is unlike those learnt from"),
        ({"face_px": None, "sharpness": None, "novelty": None}, None),
    ],
)
def test_what_lies_outside_the_support_has_a_reason(
    seen: dict[str, float], expected: str | None
) -> None:
    like = {"num_frames": 3, "face_px": 60.0, "sharpness": 20.0, "novelty": 2.0}
    reason = SUPPORT.reason_against(**{**like, **seen})
    assert reason is None if expected is None else str(reason).startswith(expected)


def test_outside_of_what_was_seen_nothing_is_called_real_or_fake() -> None:
    small = UncertainReason.measured("the face is too small", "40 pixels")
    for prob in (0.001, 0.999):
        assert judge(prob, thresholds=Thresholds(), outside=small) == (Verdict.UNCERTAIN, small)
    assert judge(0.999, thresholds=Thresholds()) == (Verdict.FAKE, None)
    verdict, reason = judge(0.5, thresholds=Thresholds())
    assert verdict == Verdict.UNCERTAIN
    assert reason is not None and "35.0% and 65.0%" in reason.message


def test_support_leaves_one_file_in_a_hundred_outside() -> None:
    rng = np.random.default_rng(0)
    sizes, sharpness, novelty = (rng.uniform(50, 150, 2000) for _ in range(3))
    support = fit_support(face_px=sizes, sharpness=sharpness, novelty=novelty, min_frames=3)
    assert np.mean(sizes < support.min_face_px) == pytest.approx(0.01, abs=0.001)
    assert np.mean(novelty > support.max_novelty) == pytest.approx(0.01, abs=0.001)
    few = fit_support(face_px=sizes[:10], sharpness=sharpness[:10], novelty=None)
    assert (few.min_face_px, few.max_novelty, few.num_samples) == (None, None, 10)


def test_threshold_is_lowered_until_few_unseen_fakes_lie_under_it() -> None:
    chosen = Thresholds(real_below=0.4, fake_from=0.7, is_fitted=True)
    many, few = np.linspace(0, 1, 101), [0.05, 0.9, 0.95, 0.99, 1.0]
    lowered = lower_for_unseen(chosen, [many], max_miss=0.2)
    assert lowered.real_below == pytest.approx(0.2)
    assert (many < lowered.real_below).mean() <= 0.2
    both = lower_for_unseen(chosen, [many, few], max_miss=0.1)
    assert both.real_below == pytest.approx(0.05), "of each corpus, not of all together"
    assert both.fake_from == chosen.fake_from


def test_threshold_is_never_raised_by_unseen_fakes() -> None:
    chosen = Thresholds(real_below=0.1, fake_from=0.7, is_fitted=True)
    assert lower_for_unseen(chosen, [[0.9] * 50], max_miss=0.2).real_below == 0.1
    # What lies outside of what was seen is uncertain, and needs no threshold.
    outside = lower_for_unseen(chosen, [[np.nan] * 9 + [0.01]], max_miss=0.2)
    assert outside.real_below == 0.1
