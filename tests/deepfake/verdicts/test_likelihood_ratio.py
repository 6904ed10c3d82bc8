"""Likelihood ratios: from a calibrated logit, and no further than the calibration set supports."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from deepfake.errors import DataError
from deepfake.verdicts.aggregation import FileScore, TrackScore
from deepfake.verdicts.calibration import (
    Calibration,
    LikelihoodRatioBounds,
    Support,
    fit_likelihood_ratio_bounds,
)
from deepfake.verdicts.judgement import JudgementSettings


def _overlapping(num: int, *, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    # Of two normal distributions with variance 2 m whose means are m and -m, a value is its own
    # log-likelihood ratio.
    rng = np.random.default_rng(seed)
    log_lr = np.concatenate([rng.normal(-2, 2, num), rng.normal(2, 2, num)])
    return log_lr, np.repeat([0, 1], num)


def _cost(log_lr: NDArray[np.float64], labels: NDArray[np.int64], at: float) -> float:
    """Return the normalised Bayes error at a threshold, with one more misleading file a class."""
    fakes, reals = log_lr[labels == 1], log_lr[labels == 0]
    missed = ((fakes < at).sum() + 1) / (len(fakes) + 1)
    alarmed = ((reals >= at).sum() + 1) / (len(reals) + 1)
    return float((missed + math.exp(at) * alarmed) / min(1.0, math.exp(at)))


def test_classes_apart_support_no_more_than_their_number() -> None:
    # 99 fakes far above 199 reals: one real among 200 may be as high, one fake in 100 as low.
    log_lr = np.concatenate([np.full(199, -30.0), np.full(99, 30.0)])
    bounds = fit_likelihood_ratio_bounds(log_lr, np.repeat([0, 1], [199, 99]))
    assert bounds.upper == pytest.approx(0.99 * 200)
    assert bounds.lower == pytest.approx(1 / (0.995 * 100))
    assert (bounds.num_real, bounds.num_fake) == (199, 99)


@pytest.mark.parametrize("seed", range(4))
def test_between_the_bounds_the_system_is_never_worse_than_none(seed: int) -> None:
    log_lr, labels = _overlapping(300, seed=seed)
    bounds = fit_likelihood_ratio_bounds(log_lr, labels)
    low, high = math.log(bounds.lower), math.log(bounds.upper)
    assert low < -1 and high > 1
    for at in np.linspace(low + 1e-3, high - 1e-3, 200):
        assert _cost(log_lr, labels, float(at)) <= 1 + 1e-9
    assert _cost(log_lr, labels, high + 1e-3) > 1
    assert _cost(log_lr, labels, low - 1e-3) > 1


def test_the_bounds_are_those_of_the_reference_implementation() -> None:
    # Computed by `lir.bayeserror.elub` of lir 0.1.29 (Netherlands Forensic Institute), which walks
    # in steps of 0.01: 10 reals and 10 fakes with these log-likelihood ratios.
    reals = [-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.3, 1.2]
    fakes = [-0.9, 0.2, 0.8, 1.4, 1.9, 2.2, 2.6, 3.1, 3.3, 4.5]
    bounds = fit_likelihood_ratio_bounds(np.array(reals + fakes), np.repeat([0, 1], 10))
    assert math.log(bounds.upper) == pytest.approx(1.79, abs=0.011)
    assert math.log(bounds.lower) == pytest.approx(-1.60, abs=0.011)


def test_scores_that_mislead_support_nothing() -> None:
    log_lr, labels = _overlapping(200)
    bounds = fit_likelihood_ratio_bounds(-log_lr, labels)
    assert (bounds.lower, bounds.upper) == (1.0, 1.0)


def test_bounds_need_both_classes_and_numbers() -> None:
    with pytest.raises(DataError, match="both classes"):
        fit_likelihood_ratio_bounds(np.zeros(3), np.ones(3))
    with pytest.raises(DataError, match="finite"):
        fit_likelihood_ratio_bounds(np.array([np.nan, 1.0]), np.array([0, 1]))


@pytest.mark.parametrize("values", [{"lower": 2.0}, {"upper": 0.5}, {"lower": 0.0}], ids=str)
def test_bounds_lie_on_either_side_of_one(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        LikelihoodRatioBounds(
            **{"lower": 0.1, "upper": 10.0, "num_real": 1, "num_fake": 1, **values}
        )


def test_a_probability_of_another_prior_gives_the_same_likelihood_ratio() -> None:
    half, tenth = Calibration(prior=0.5), Calibration(prior=0.1, bias=math.log(1 / 9))
    assert half.log_likelihood_ratio(1.5) == pytest.approx(1.5)
    assert tenth.log_likelihood_ratio(1.5) == pytest.approx(1.5)
    many = half.log_likelihood_ratio(np.array([-1.0, 2.0]))
    np.testing.assert_allclose(many, [-1.0, 2.0])


def _score(logit: float, *, face_px: float = 100.0) -> FileScore:
    track = TrackScore(0, logit, 1, 0.0, 0.0, logit, 0.0, face_px=face_px)
    return FileScore(logit, 1, 1, 1, 0, 0.0, (track,))


def _settings(**more: object) -> JudgementSettings:
    fields = {
        "calibration": Calibration(is_fitted=True),
        "likelihood_ratio_bounds": LikelihoodRatioBounds(
            lower=0.05, upper=50.0, num_real=60, num_fake=60
        ),
        "support": Support(min_face_px=40),
        **more,
    }
    return JudgementSettings.model_validate(fields)


@pytest.mark.parametrize(
    ("logit", "expected"), [(1.0, math.e), (9.0, 50.0), (-9.0, 0.05)], ids=["in", "over", "under"]
)
def test_a_likelihood_ratio_stays_within_the_bounds(logit: float, expected: float) -> None:
    assert _settings().likelihood_ratio(_score(logit)) == pytest.approx(expected)


def test_without_bounds_or_outside_of_the_support_there_is_none() -> None:
    assert _settings(likelihood_ratio_bounds=None).likelihood_ratio(_score(1.0)) is None
    assert _settings(calibration=Calibration()).likelihood_ratio(_score(1.0)) is None
    assert _settings().likelihood_ratio(_score(1.0, face_px=20.0)) is None


def test_a_description_without_bounds_is_read() -> None:
    old = JudgementSettings().model_dump(mode="json")
    del old["likelihood_ratio_bounds"]
    assert JudgementSettings.model_validate(old).likelihood_ratio_bounds is None
