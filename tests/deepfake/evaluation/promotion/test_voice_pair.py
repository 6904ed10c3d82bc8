"""The policy on tables of voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake.config import SpeechConfig
from deepfake.errors import DataError
from deepfake.evaluation.promotion import (
    Contender,
    CostComparison,
    Decision,
    MeasuredPair,
    Measurements,
    PromotionPolicy,
    decide,
    decision_markdown,
    decision_tags,
    measure_bundle_costs,
    measure_voice_pair,
    read_decision,
    write_decision,
)
from deepfake.evaluation.voice import VoiceEvaluation
from tests.untrained_voice_detector import write_voice_bundle
from tests.voice_corpus import voice_files, write_voice_corpus

_COST = CostComparison(10.0, 10.1, 1.01, "cpu", 16, 7, "window")
_N = 60


def _evaluate(
    shift: dict[str, float], *, bias: float = 0.0, seed: int = 0, num: int = _N
) -> VoiceEvaluation:
    """Return an evaluation of reals and of fakes of each method, moved by its shift.

    Args:
        shift: Of the logits of a method's fakes.
        bias: Of the logits of reals.
        seed: Of the detector's own noise.
        num: Reals, and fakes a method.
    """
    methods = [None] * num + [m for m in shift for _ in range(num)]
    files = np.random.default_rng(7).normal(size=len(methods))
    own = 0.3 * np.random.default_rng(seed).normal(size=len(methods))
    moved = np.array([bias if m is None else shift[m] for m in methods])
    logit = files + own + moved - 2
    table = pd.DataFrame(
        {
            "uri": [f"/{i}.flac" for i in range(len(methods))],
            "media_id": [f"{i}" for i in range(len(methods))],
            "corpus": "calls",
            "label": ["real" if m is None else "fake" for m in methods],
            "method": pd.array(methods, dtype="string"),
            "kind": "audio",
            "compression": None,
            "group": None,
            "logit": logit,
            "prob_fake": 1 / (1 + np.exp(-logit)),
            "threshold": 0.5,
        }
    )
    empty: dict[str, dict[str, int]] = {}
    return VoiceEvaluation(
        *("calls", "test", len(table), num, len(table) - num, 0),
        *(None, None, None, None, None, None),
        uncertain_reasons={},
        verdicts=empty,
        verdicts_by_method=empty,
        flagged_reals=(),
        table=table,
    )


def _decide(pair: MeasuredPair) -> Decision:
    return decide(
        PromotionPolicy(held_out="calls"),
        Measurements(pair, cost=_COST),
        champion=Contender(name="voice-detector", version="1", digest="a" * 16),
        challenger=Contender(name="voice-detector", version=None, digest="b" * 16),
        data_digests={"calls": "0" * 16},
        modality="voice",
    )


_BEFORE = {"clone": 2.5, "vocoder": 2.5}


@pytest.fixture(scope="module")
def champion() -> VoiceEvaluation:
    return _evaluate(_BEFORE)


def _states(decision: Decision) -> dict[str, str]:
    return {check.name: check.state for check in decision.checks}


def test_a_better_challenger_is_promoted_and_the_record_says_of_what(
    champion: VoiceEvaluation, tmp_path: Path
) -> None:
    pair = measure_voice_pair("calls", champion, _evaluate({"clone": 4.0, "vocoder": 4.0}, seed=1))
    decision = _decide(pair)
    assert decision.outcome == "promoted", decision.reasons
    assert {s.slice: s.measure for s in decision.slices} == {
        "method clone": "auc",
        "method vocoder": "auc",
        "method real": "specificity",
        "kind audio": "auc",
    }
    (part,) = decision.parts
    assert part.is_headline and part.n_groups == 3 * _N, "a file without a group is one"
    assert decision_tags(decision)["modality"] == "voice"
    assert read_decision(write_decision(tmp_path / "decision.json", decision)) == decision
    page = decision_markdown(decision)
    assert "- detectors of: voice" in page and "A window costs the champion 10.00 ms" in page
    assert "a window costs 1.01 times" in page


def test_the_same_detector_is_no_gain(champion: VoiceEvaluation) -> None:
    decision = _decide(measure_voice_pair("calls", champion, _evaluate(_BEFORE)))
    assert decision.outcome == "kept"
    assert _states(decision)["gain"] == "failed"
    assert _states(decision)["regression"] == "passed"


def test_a_higher_auc_with_more_false_alarms_is_not_promoted(champion: VoiceEvaluation) -> None:
    alarming = _evaluate({"clone": 6.0, "vocoder": 6.0}, bias=1.5, seed=1)
    pair = measure_voice_pair("calls", champion, alarming)
    assert pair.headline.difference is not None and pair.headline.difference > 0
    decision = _decide(pair)
    assert _states(decision)["gain"] == "passed"
    assert _states(decision)["regression"] == "failed"
    assert "method real of calls" in " ".join(decision.reasons)


def test_better_on_average_and_worse_on_one_method_is_not_promoted(
    champion: VoiceEvaluation,
) -> None:
    decision = _decide(
        measure_voice_pair("calls", champion, _evaluate({"clone": 6.0, "vocoder": 1.5}))
    )
    assert _states(decision)["regression"] == "failed"
    assert "method vocoder of calls" in " ".join(decision.reasons)


def test_evaluations_of_other_files_are_not_compared(champion: VoiceEvaluation) -> None:
    with pytest.raises(DataError, match="same files"):
        measure_voice_pair("calls", champion, _evaluate(_BEFORE, num=_N - 1))


def test_the_cost_of_a_detector_is_that_of_windows_of_speech(tmp_path: Path) -> None:
    speech = SpeechConfig(window_seconds=1.0, min_speech_seconds=0.5)
    bundles = [
        write_voice_bundle(tmp_path / str(seed), seed=seed, speech=speech) for seed in range(2)
    ]
    snapshot = write_voice_corpus(tmp_path, voice_files({"test": 2}))
    index = snapshot.index()
    found = measure_bundle_costs(
        *bundles, snapshot, index, device="cpu", cache=tmp_path / "engines"
    )
    assert found is not None
    assert (found.unit, found.num_inputs, found.clock) == ("window", 4, "cpu")
    assert found.ratio == pytest.approx(1.0, rel=0.5), "one network with other weights"
    assert measure_bundle_costs(*bundles, snapshot, index[:0], device="cpu", cache=tmp_path) is None
