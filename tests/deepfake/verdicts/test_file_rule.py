"""The answers on faces, voice and lips become one, and its reason names what says so."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.detectors.fit_file_rule import fit_on_scores, rule_as_toml
from deepfake.errors import ConfigError, DataError
from deepfake.types import Verdict
from deepfake.verdicts.file_rule import (
    Answer,
    FileRule,
    WayWeights,
    fit_file_rule,
    join_answers,
    joint_log_ratio,
    load_file_rule,
)

_RULE = load_file_rule()


def _answer(way: str, ratio: float, *, verdict: Verdict | None = None) -> Answer:
    """Return an answer with a likelihood ratio, and the probability that it means at one half."""
    prob = ratio / (1 + ratio)
    said = Verdict.REAL if prob < 0.35 else Verdict.FAKE if prob >= 0.65 else Verdict.UNCERTAIN
    return Answer(way, verdict or said, prob, ratio, f"reason of {way}")  # type: ignore[arg-type]


_SIGN, _NO_SIGN = 30.0, 0.05
_CLASSES = {
    "RealVideo-RealAudio": (_NO_SIGN, _NO_SIGN, 0.3),
    "FakeVideo-RealAudio": (_SIGN, _NO_SIGN, 5.0),
    "RealVideo-FakeAudio": (_NO_SIGN, _SIGN, 5.0),
    "FakeVideo-FakeAudio": (_SIGN, _SIGN, 0.3),
}
"""What ideal detectors say of faces, voice and lips in the classes of FakeAVCeleb."""


def _of_class(name: str) -> list[Answer]:
    ratios = zip(("faces", "voice", "sync"), _CLASSES[name], strict=True)
    return [_answer(way, ratio) for way, ratio in ratios]


@pytest.mark.parametrize("name", _CLASSES)
def test_the_classes_of_fakeavceleb(name: str) -> None:
    joined = join_answers(_of_class(name))
    is_fake = name != "RealVideo-RealAudio"
    assert joined.verdict is (Verdict.FAKE if is_fake else Verdict.REAL)
    assert joined.prob_fake is not None and (joined.prob_fake > 0.5) is is_fake
    reason = str(joined.reason)
    first = reason.partition(":")[0]
    assert first == ("voice" if name == "RealVideo-FakeAudio" else "faces")
    assert ("no mismatch" in reason) is (name in ("RealVideo-RealAudio", "FakeVideo-FakeAudio"))


@pytest.mark.parametrize("name", _CLASSES)
@pytest.mark.parametrize("num", [1, 2, 3])
def test_each_combination_of_answers_is_their_weighted_mean(name: str, num: int) -> None:
    weights = {"faces": 2.0, "voice": 1.0, "sync": 1.0}
    for own in itertools.combinations(_of_class(name), num):
        counted = {a.way: float(a.likelihood_ratio or 0) for a in own}
        if num == 1:
            assert join_answers(own).likelihood_ratio == own[0].likelihood_ratio
            continue
        if "sync" in counted:
            counted["sync"] = max(counted["sync"], 1.0)
        total = sum(weights[way] for way in counted)
        expected = sum(weights[way] * ratio for way, ratio in counted.items()) / total
        assert join_answers(own).likelihood_ratio == pytest.approx(expected)
        assert join_answers(own[::-1]).likelihood_ratio == pytest.approx(expected)


def test_one_way_alone_is_answered_as_it_was_judged() -> None:
    faces = Answer("faces", Verdict.UNCERTAIN, 0.5123, None, "the face is too small")
    joined = join_answers([faces], prior=0.2)
    assert (joined.verdict, joined.reason) == (Verdict.UNCERTAIN, "the face is too small")
    assert (joined.prob_fake, joined.likelihood_ratio) == (0.5123, None)


def test_nothing_judged_is_no_answer() -> None:
    voice = Answer("voice", Verdict.NOT_APPLICABLE)
    for answers in ([], [voice], [voice, Answer("sync", Verdict.NOT_APPLICABLE)]):
        joined = join_answers(answers)
        assert joined.verdict is Verdict.NOT_APPLICABLE
        assert (joined.prob_fake, joined.likelihood_ratio) == (None, None)


def test_an_answer_that_says_nothing_counts_as_one() -> None:
    faces = _answer("faces", 0.1)
    silent = (
        Answer("voice", Verdict.NOT_APPLICABLE),
        Answer("voice", Verdict.UNCERTAIN, 0.9, None, "unlike those learnt from"),
    )
    for voice in silent:
        joined = join_answers([faces, voice])
        assert joined.likelihood_ratio == pytest.approx((2 * 0.1 + 1) / 3)
    assert join_answers([faces, silent[0]]).reason == "faces: no sign, voice: not judged"


def test_one_that_is_uncertain_keeps_the_file_from_being_cleared() -> None:
    joined = join_answers([_answer("faces", 0.01), _answer("voice", 1.0)])
    assert joined.prob_fake is not None and joined.prob_fake < _RULE.thresholds.real_below
    assert joined.verdict is Verdict.UNCERTAIN


def test_all_together_may_call_fake_what_none_does() -> None:
    uncertain = [_answer(way, 5.0, verdict=Verdict.UNCERTAIN) for way in ("faces", "voice")]
    joined = join_answers(uncertain)
    assert joined.verdict is Verdict.FAKE
    assert joined.reason == "together 83.3%: faces: uncertain, 83.3%, voice: uncertain, 83.3%"


def test_a_ratio_that_no_detector_states_is_bounded_and_not_stated() -> None:
    unstated = Answer("faces", Verdict.FAKE, 0.9999, None)
    joined = join_answers([unstated, _answer("voice", 0.1)])
    assert joined.likelihood_ratio is None
    expected = (2 * _RULE.max_unstated_ratio + 0.1) / 3
    assert joined.prob_fake == pytest.approx(expected / (1 + expected))


def test_probabilities_hold_for_the_prior_and_verdicts_do_not_change_with_it() -> None:
    answers = _of_class("RealVideo-FakeAudio")
    even, rare = join_answers(answers, prior=0.5), join_answers(answers, prior=0.01)
    assert even.verdict is rare.verdict
    assert even.likelihood_ratio == rare.likelihood_ratio
    assert rare.prob_fake is not None and even.prob_fake is not None
    odds = [p / (1 - p) for p in (even.prob_fake, rare.prob_fake)]
    assert odds[0] / odds[1] == pytest.approx(99)


def test_two_answers_on_one_way_are_an_error() -> None:
    with pytest.raises(DataError, match="one answer on each way"):
        joint_log_ratio([_answer("voice", 1.0)] * 2, prior=0.5, rule=_RULE)


def test_a_fit_finds_the_slope_and_keeps_the_weights() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 300)
    # Log-likelihood ratios of normal scores; the detector claims twice what it knows.
    known = rng.normal(np.where(labels == 1, 2.0, -2.0), 2.0)
    files = [[_answer("faces", math.exp(2 * value))] for value in known]
    fitted = fit_file_rule(files, labels, rule=_RULE, source="made up")
    assert fitted.calibration.temperature == pytest.approx(2.0, rel=0.25)
    assert fitted.calibration.is_fitted and fitted.thresholds.is_fitted
    assert (fitted.weights, fitted.source) == (_RULE.weights, "made up")


def test_a_rule_of_ones_own_is_read_and_a_wrong_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "rule.toml"
    path.write_text("[weights]\nfaces = 1\nvoice = 3\nsync = 1\n", encoding="utf-8")
    own = load_file_rule(path)
    assert own == FileRule(weights=WayWeights(faces=1, voice=3, sync=1))
    answers = [_answer("faces", 0.1), _answer("voice", 9.0)]
    joined = join_answers(answers, rule=own)
    assert joined.likelihood_ratio == pytest.approx((0.1 + 27) / 4)
    for text, message in (
        ("weights = 1", "weights"),
        ("[weights]\nfaces = 0\nvoice = 1\nsync = 1\n", "over 0"),
        ("=", "no TOML"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            load_file_rule(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_file_rule(tmp_path / "none.toml")


def test_a_fitted_rule_is_written_and_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 120)
    scores = pd.DataFrame(
        [
            {
                "uri": f"/m/{number}",
                "kind": "video",
                "verdict": "uncertain",
                "prob_fake": 0.5,
                "likelihood_ratio": math.exp(rng.normal(3 * is_fake - 1.5)),
                "verdict_voice": "uncertain",
                "prob_fake_voice": 0.5,
                "verdict_sync": "no_mismatch" if number else None,
                "prob_mismatch": 0.5 if number else None,
                "prior": 0.5,
            }
            for number, is_fake in enumerate(labels)
        ]
    )
    names = pd.Series(np.where(labels == 1, "fake", "real"), index=scores["uri"])
    fitted, num = fit_on_scores(scores, names, source='clips "by hand"')
    assert num == len(labels) - 1
    assert fitted.calibration.is_fitted
    path = tmp_path / "rule.toml"
    path.write_text(rule_as_toml(fitted), encoding="utf-8")
    assert load_file_rule(path) == fitted
