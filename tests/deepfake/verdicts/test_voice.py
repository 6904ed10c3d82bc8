"""A file's voice gets one score from its windows, and a verdict that says why it is uncertain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deepfake.errors import DataError
from deepfake.types import Verdict
from deepfake.verdicts.base_judgement import UnseenCorpus
from deepfake.verdicts.calibration import Calibration, LikelihoodRatioBounds, Thresholds
from deepfake.verdicts.voice import (
    VoiceJudgement,
    VoiceScore,
    VoiceSupport,
    aggregate_windows,
    fit_voice_support,
)

_JUDGEMENT = VoiceJudgement(
    calibration=Calibration(temperature=2.0, is_fitted=True),
    thresholds=Thresholds(real_below=0.2, fake_from=0.8),
    support=VoiceSupport(max_novelty=2.0, min_bandwidth_hz=3000.0),
    likelihood_ratio_bounds=LikelihoodRatioBounds(lower=0.1, upper=10.0, num_real=30, num_fake=30),
)


def _score(logit: float, *, novelty: float | None = 1.0, hz: float | None = 7000.0) -> VoiceScore:
    return VoiceScore(logit, 2, 0.0, 4.0, novelty=novelty, bandwidth_hz=hz)


def test_a_file_is_the_mean_of_its_windows_in_any_order() -> None:
    columns = {
        "logits": np.array([0.1, 2.5, -0.7, 2.5]),
        "pts_seconds": np.array([0.0, 8.0, 12.0, 4.0]),
        "end_seconds": np.array([4.0, 12.5, 16.0, 8.5]),
        "novelty": np.array([1.0, 2.0, 3.0, 4.0]),
        "bandwidth_hz": np.array([7000.0, 3000.0, 7600.0, 7200.0]),
    }
    found = aggregate_windows(**columns)
    assert found.logit == pytest.approx(1.1)
    assert found.num_windows == 4
    strongest = (found.strongest_pts_seconds, found.strongest_end_seconds)
    assert strongest == (4.0, 8.5), "the earliest of two equals"
    assert (found.novelty, found.bandwidth_hz) == (2.5, 7100.0)
    order = np.array([3, 1, 0, 2])
    assert aggregate_windows(**{name: own[order] for name, own in columns.items()}) == found


def test_what_is_not_known_of_a_window_is_not_known_of_the_file() -> None:
    found = aggregate_windows(
        [1.0, 2.0], pts_seconds=[0, 4], end_seconds=[4, 8], novelty=[1.0, math.nan]
    )
    assert found.novelty is None
    assert found.bandwidth_hz is None


@pytest.mark.parametrize(
    ("logits", "begins", "message"),
    [
        ([], [], "without windows"),
        ([math.nan], [0.0], "not a finite number"),
        ([1.0, 2.0], [0.0], "a value a window"),
    ],
)
def test_windows_without_a_score_are_refused(
    logits: list[float], begins: list[float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        aggregate_windows(logits, pts_seconds=begins, end_seconds=begins)


@pytest.mark.parametrize(
    ("logit", "verdict"), [(-4.0, Verdict.REAL), (0.0, Verdict.UNCERTAIN), (4.0, Verdict.FAKE)]
)
def test_the_verdict_follows_the_thresholds(logit: float, verdict: Verdict) -> None:
    found, reason = _JUDGEMENT.judge(_score(logit))
    assert found is verdict
    assert (reason is None) == (verdict is not Verdict.UNCERTAIN)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (
            _score(9.0, novelty=2.5),
            "the voice is unlike those learnt from: distance 2.50, calibrated up to 2.00",
        ),
        (
            _score(-9.0, hz=2500.0),
            "the sound has too few high frequencies: up to 2,500 Hz, calibrated from 3,000 Hz",
        ),
    ],
)
def test_a_voice_outside_of_the_calibration_is_uncertain(score: VoiceScore, message: str) -> None:
    verdict, reason = _JUDGEMENT.judge(score)
    assert verdict is Verdict.UNCERTAIN
    assert str(reason) == message
    assert _JUDGEMENT.likelihood_ratio(score) is None


def test_what_is_not_known_is_no_reason() -> None:
    assert _JUDGEMENT.judge(_score(9.0, novelty=None, hz=None)) == (Verdict.FAKE, None)


def test_likelihood_ratios_stay_within_their_bounds() -> None:
    assert _JUDGEMENT.likelihood_ratio(_score(9.0)) == pytest.approx(10.0)
    assert _JUDGEMENT.likelihood_ratio(_score(2.0)) == pytest.approx(math.e)
    plain = _JUDGEMENT.model_copy(update={"likelihood_ratio_bounds": None})
    assert plain.likelihood_ratio(_score(2.0)) is None


def test_the_reason_for_real_says_how_often_it_is_wrong() -> None:
    assert "not measured" in _JUDGEMENT.reason_for_real
    counted = UnseenCorpus(
        corpus="other",
        digest="0" * 16,
        num_real=0,
        num_fake=200,
        fakes_called_real=30,
        fakes_called_fake=100,
        reals_called_real=0,
        reals_called_fake=0,
    )
    judgement = _JUDGEMENT.model_copy(update={"unseen": (counted,)})
    assert "15% of 200 fakes" in judgement.reason_for_real


def test_a_judgement_comes_back_from_json() -> None:
    assert VoiceJudgement.model_validate_json(_JUDGEMENT.model_dump_json()) == _JUDGEMENT


def test_bounds_leave_one_file_in_a_hundred_outside() -> None:
    values = np.arange(1.0, 201.0)
    found = fit_voice_support(novelty=values, bandwidth_hz=None, num_samples=200)
    assert found.min_bandwidth_hz is None
    assert found.max_novelty is not None
    assert (values > found.max_novelty).sum() == 2
    few = fit_voice_support(novelty=values[:39], bandwidth_hz=values[:39], num_samples=39)
    assert few == VoiceSupport(num_samples=39)
