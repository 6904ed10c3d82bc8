"""Verdicts over time: what changes them, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    SamplingConfig,
    TrainConfig,
)
from deepfake.detectors.bundles import DetectorSpec, HeadSpec
from deepfake.types import Face, FaceCrop, Verdict
from deepfake.verdicts.aggregation import aggregate_track
from deepfake.verdicts.calibration import Calibration, Support, Thresholds, UncertainReason
from deepfake.verdicts.judgement import JudgementSettings
from deepfake.views.webcam import Hysteresis, LiveVerdict, TrackJudge

_STEP = 0.05
_THRESHOLDS = Thresholds(real_below=0.35, fake_from=0.65)
_VIDEO = JudgementSettings(calibration=Calibration(temperature=2.0), thresholds=_THRESHOLDS)


def _spec(**changes: object) -> DetectorSpec:
    return DetectorSpec(
        name="tried",
        architecture="none",
        input_size=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        crop=CropConfig(),
        faces=FaceConfig(),
        sampling=SamplingConfig(),
        aggregation=AggregationConfig(),
        judgement={
            "still": JudgementSettings(calibration=Calibration(temperature=9.0)),
            "video": _VIDEO,
        },
        data_digests={},
        pretrained_source="none",
        seed=0,
        code_version="0",
        created_at=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        train_config=TrainConfig(),
    ).model_copy(update=changes)


def _supported(support: Support) -> dict[str, JudgementSettings]:
    return {"video": _VIDEO.model_copy(update={"support": support})}


def _crop(index: int, *, pts_seconds: float, face_px: float = 100.0) -> FaceCrop:
    face = Face((0.0, 0.0, face_px, face_px), ((1.0, 1.0),) * 5, 0.99)
    return FaceCrop(b"", face, -1, pts_seconds, index, sharpness=50.0, brightness=100.0)


def _judged(probs: Sequence[float], hysteresis: Hysteresis, *, start: int = 0) -> list[LiveVerdict]:
    return [
        hysteresis.judge(prob, pts_seconds=(start + at) * _STEP) for at, prob in enumerate(probs)
    ]


def test_a_first_verdict_comes_after_it_has_held_for_a_second() -> None:
    verdicts = _judged([0.9] * 25, Hysteresis(_THRESHOLDS))
    assert [j.verdict for j in verdicts] == [Verdict.UNCERTAIN] * 20 + [Verdict.FAKE] * 5
    assert [at for at, j in enumerate(verdicts) if j.is_changed] == [20]
    assert verdicts[0].reason == "not seen for long enough: it has to hold for 1 s"
    assert verdicts[20].reason is None


def test_one_frame_in_between_begins_the_second_anew() -> None:
    verdicts = _judged([0.9] * 19 + [0.5] + [0.9] * 19, Hysteresis(_THRESHOLDS))
    assert {j.verdict for j in verdicts} == {Verdict.UNCERTAIN}


def test_a_verdict_stays_while_another_flickers_and_goes_once_it_has_held() -> None:
    hysteresis = Hysteresis(_THRESHOLDS)
    _judged([0.1] * 30, hysteresis)
    flickering = _judged([0.9, 0.1] * 40, hysteresis, start=30)
    assert {j.verdict for j in flickering} == {Verdict.REAL}
    held = _judged([0.9] * 30, hysteresis, start=110)
    assert held[-1].verdict is Verdict.FAKE
    assert sum(j.is_changed for j in held) == 1


def test_a_threshold_has_to_be_passed_by_a_margin_to_give_a_verdict_up() -> None:
    wandering = (0.65 + 0.04 * np.sin(np.arange(600) / 40)).tolist()  # around `fake_from`
    held = _judged([0.9] * 30 + wandering, Hysteresis(_THRESHOLDS))
    plain = _judged([0.9] * 30 + wandering, Hysteresis(_THRESHOLDS, margin=0.0))
    assert sum(j.is_changed for j in held) == 1
    assert sum(j.is_changed for j in plain) > 3
    given_up = _judged([0.58] * 30, Hysteresis(_THRESHOLDS))
    assert given_up[-1].verdict is Verdict.UNCERTAIN


def test_a_margin_never_makes_uncertain_what_is_between_no_thresholds() -> None:
    narrow = Thresholds(real_below=0.5, fake_from=0.5)
    verdicts = _judged([0.51] * 25 + [0.49] * 25, Hysteresis(narrow))
    assert (verdicts[24].verdict, verdicts[-1].verdict) == (Verdict.FAKE, Verdict.REAL)


def test_nothing_is_called_fake_outside_of_what_was_calibrated_on() -> None:
    hysteresis = Hysteresis(_THRESHOLDS)
    _judged([0.99] * 30, hysteresis)
    reason = UncertainReason.measured("the face is too small", "40 pixels")
    verdicts = [
        hysteresis.judge(0.99, pts_seconds=(30 + at) * _STEP, outside=reason) for at in range(30)
    ]
    assert verdicts[0].verdict is Verdict.FAKE
    assert (verdicts[-1].verdict, verdicts[-1].reason) == (Verdict.UNCERTAIN, reason.message)


def test_time_in_which_nobody_looked_does_not_count_as_holding() -> None:
    hysteresis = Hysteresis(_THRESHOLDS)
    hysteresis.judge(0.9, pts_seconds=0.0)
    assert hysteresis.judge(0.9, pts_seconds=30.0).verdict is Verdict.UNCERTAIN


def test_a_probability_is_of_the_last_seconds_and_calibrated_for_videos() -> None:
    judge = TrackJudge(_spec(), window_seconds=1.0)
    logits = [-4.0] * 40 + [4.0] * 30
    verdicts = [
        judge.add(_crop(at, pts_seconds=at * _STEP), {"logit": logit})
        for at, logit in enumerate(logits)
    ]
    calibration = Calibration(temperature=2.0)
    assert verdicts[39].prob_fake == pytest.approx(calibration.prob(-4.0))
    assert verdicts[-1].prob_fake == pytest.approx(calibration.prob(4.0))
    probs = [j.prob_fake for j in verdicts[39:62]]
    assert probs == sorted(probs)
    assert max(np.diff(probs)) < 0.15  # smoothed: it takes a second, no jump


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"min_face_px": 120.0}, "the face is too small: 100 pixels, calibrated from 120"),
        ({"min_sharpness": 60.0}, "the face is too blurred: sharpness 50, calibrated from 60"),
        (
            {"max_novelty": 1.0},
            "the face is unlike those learnt from: distance 2.00, calibrated up to 1.00",
        ),
    ],
)
def test_faces_outside_the_calibration_are_uncertain_and_the_reason_is_given(
    bound: dict[str, float], expected: str
) -> None:
    judge = TrackJudge(_spec(judgement=_supported(Support(**bound))))
    for at in range(40):
        live = judge.add(_crop(at, pts_seconds=at * _STEP), {"logit": 9.0, "novelty": 2.0})
    assert (live.verdict, live.reason) == (Verdict.UNCERTAIN, expected)
    assert live.prob_fake > 0.9


def test_looking_rarely_is_enough_to_judge() -> None:
    judge = TrackJudge(_spec(judgement=_supported(Support(min_frames=3))))
    verdicts = [judge.add(_crop(at, pts_seconds=at * 0.9), {"logit": 9.0}) for at in range(6)]
    rarely = [judge.add(_crop(at, pts_seconds=at * 2.5), {"logit": 9.0}) for at in range(10, 14)]
    assert verdicts[-1].verdict is Verdict.FAKE
    assert all("too few frames" not in str(j.reason) for j in rarely)


def test_a_fake_tells_which_head_is_surest() -> None:
    heads = (HeadSpec(name="blended", center=1.0, scale=1.0), HeadSpec(name="generated"))
    judge = TrackJudge(_spec(heads=heads))
    head_outputs = {"logit": 9.0, "logit_blended": 2.0, "logit_generated": 1.5}
    for at in range(40):
        live = judge.add(_crop(at, pts_seconds=at * _STEP), head_outputs)
    assert (live.verdict, live.reason) == (Verdict.FAKE, "looks generated")


def test_a_track_by_itself_says_what_it_says_in_a_file() -> None:
    columns = {
        "frame_index": [0, 1, 1],
        "pts_seconds": [0.0, 0.1, 0.1],
        "logit": [1.0, 3.0, 2.0],
        "face_px": [50.0, 70.0, 60.0],
    }
    score = aggregate_track(columns, config=AggregationConfig(), track_id=4)
    assert (score.track_id, score.num_frames, score.face_px) == (4, 2, 60.0)
    assert score.logit == pytest.approx(2.0)
    assert (score.max_logit, score.max_pts_seconds) == (3.0, 0.1)
    assert score.sharpness is None
