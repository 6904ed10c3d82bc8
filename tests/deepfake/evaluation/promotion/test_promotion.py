"""The policy on real tables of predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake.config import AggregationConfig
from deepfake.errors import ConfigError, DataError
from deepfake.evaluation import EvaluationResult, evaluate_predictions
from deepfake.evaluation.promotion import (
    Contender,
    CostComparison,
    Decision,
    MeasuredPair,
    Measurements,
    PromotionPolicy,
    decide,
    decision_markdown,
    load_policy,
    measure_pair,
    read_decision,
    write_decision,
)
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.judgement import JudgementSettings

_POLICY = PromotionPolicy(held_out="newsdesk")
_COST = CostComparison(10.0, 10.1, 1.01, "cpu", 64, 7)
_N = 80


def _evaluate(
    shift: dict[str, float], *, noise: float = 1.0, seed: int = 0, groups: int = _N
) -> EvaluationResult:
    """Return an evaluation of 80 reals and of 80 fakes a method, each method moved by its shift."""
    labels = ["original"] * _N + [m for m in shift for _ in range(_N)]
    base = np.random.default_rng(7).normal(size=len(labels))
    sizes = np.random.default_rng(8).uniform(80, 160, size=len(labels))
    own = np.random.default_rng(seed).normal(size=len(labels))
    logits = base + noise * 0.3 * own
    crops, outcomes = [], []
    for i, method in enumerate(labels):
        is_fake = method != "original"
        keys = {"uri": f"/{i}", "media_id": f"{i}", "corpus": "c", "kind": "image"}
        about = {"label": "fake" if is_fake else "real", "method": method, "group": f"{i % groups}"}
        outcomes.append({**keys, **about, "split": "test", "status": "ok", "is_partial": False})
        logit = logits[i] + (shift[method] if is_fake else 0.0)
        face = {"face_px": sizes[i], "sharpness": 20.0 + i % 7, "brightness": 100.0}
        crops.append(
            {**keys, **face, "frame_index": 0, "pts_seconds": 0.0, "track_id": 0, "logit": logit}
        )
    return evaluate_predictions(
        crops=pd.DataFrame(crops),
        outcomes=pd.DataFrame(outcomes),
        aggregation=AggregationConfig(),
        judgement={"still": JudgementSettings(calibration=Calibration(bias=-1.0))},
    )


_BEFORE = {"swap": 1.5, "reenact": 1.5}


@pytest.fixture(scope="module")
def champion() -> EvaluationResult:
    return _evaluate(_BEFORE)


def _pair(champion: EvaluationResult, shift: dict[str, float], **more: Any) -> MeasuredPair:
    return measure_pair("held-out set newsdesk", champion, _evaluate(shift, **more))


def _decide(measurements: Measurements, policy: PromotionPolicy = _POLICY) -> Decision:
    return decide(
        policy,
        measurements,
        champion=Contender(name="detector", version="1", digest="a" * 16),
        challenger=Contender(name="detector", version=None, digest="b" * 16),
        data_digests={"c": "0" * 16},
        held_out_digest="d" * 16,
        num_uses=3,
    )


def _states(decision: Decision) -> dict[str, str]:
    return {check.name: check.state for check in decision.checks}


@pytest.fixture(scope="module")
def better(champion: EvaluationResult) -> MeasuredPair:
    return _pair(champion, {"swap": 2.2, "reenact": 2.2}, seed=1)


def test_a_better_challenger_is_promoted(better: MeasuredPair) -> None:
    decision = _decide(Measurements(better, cost=_COST))
    assert decision.outcome == "promoted"
    assert set(_states(decision).values()) == {"passed"}
    assert better.all.difference is not None and better.all.difference > 0.05
    assert {s.slice for s in decision.slices} >= {"method swap", "method reenact"}


def test_a_challenger_of_noise_is_not(champion: EvaluationResult) -> None:
    noise = _pair(champion, {"swap": 0.0, "reenact": 0.0}, noise=20.0, seed=2)
    decision = _decide(Measurements(noise, cost=_COST))
    assert decision.outcome == "kept"
    assert _states(decision)["gain"] == _states(decision)["regression"] == "failed"


def test_a_challenger_that_is_the_same_is_not(champion: EvaluationResult) -> None:
    decision = _decide(Measurements(_pair(champion, _BEFORE), cost=_COST))
    assert decision.outcome == "kept"
    assert _states(decision) == {
        "gain": "failed",
        "regression": "passed",
        "calibration": "passed",
        "cost": "passed",
    }


def test_a_gain_that_may_be_chance_is_none(champion: EvaluationResult) -> None:
    pair = _pair(champion, {"swap": 1.56, "reenact": 1.56}, noise=1.6, seed=5)
    found = pair.headline
    assert found.difference is not None and found.low is not None
    assert found.low < 0, "its interval is not above 0"
    decision = _decide(Measurements(pair, cost=_COST), _POLICY.model_copy(update={"min_gain": 0.0}))
    assert _states(decision)["gain"] == "failed"


def test_better_on_average_and_worse_on_one_method_is_not_promoted(
    champion: EvaluationResult,
) -> None:
    pair = _pair(champion, {"swap": 4.0, "reenact": 1.2})
    assert pair.all.difference is not None and pair.all.difference > 0.03
    decision = _decide(Measurements(pair, cost=_COST))
    assert _states(decision)["gain"] == "passed"
    assert _states(decision)["regression"] == "failed"
    assert decision.outcome == "kept"
    (reason,) = decision.reasons
    assert "method reenact of held-out set newsdesk by 0.0" in reason
    allowed = _POLICY.model_copy(update={"max_regression": 0.2})
    assert _decide(Measurements(pair, cost=_COST), allowed).outcome == "promoted"
    # A slice that is too small to be judged is shown all the same.
    unjudged = _POLICY.model_copy(update={"min_slice_files": _N + 1})
    decision = _decide(Measurements(pair, cost=_COST), unjudged)
    assert _states(decision)["regression"] == "passed"
    assert not any(s.is_judged for s in decision.slices if s.slice.startswith("method"))


def test_worse_on_the_new_datas_test_part_is_not_promoted(
    champion: EvaluationResult, better: MeasuredPair
) -> None:
    worse = replace(_pair(champion, {"swap": 1.0, "reenact": 1.0}), name="new, test")
    decision = _decide(Measurements(better, tests=(worse,), cost=_COST))
    assert decision.outcome == "kept"
    assert "new, test" in decision.reasons[0]


@pytest.mark.parametrize(("rise", "outcome"), [(0.015, "promoted"), (0.025, "kept")])
def test_calibration_may_not_get_worse(better: MeasuredPair, rise: float, outcome: str) -> None:
    pair = replace(better, ece=(0.04, 0.04 + rise))
    assert _decide(Measurements(pair, cost=_COST)).outcome == outcome


@pytest.mark.parametrize(("ratio", "outcome"), [(1.24, "promoted"), (1.26, "kept")])
def test_cost_stays_within_its_budget(better: MeasuredPair, ratio: float, outcome: str) -> None:
    decision = _decide(Measurements(better, cost=replace(_COST, ratio=ratio)))
    assert decision.outcome == outcome


def test_what_was_not_measured_is_no_evidence(
    champion: EvaluationResult, better: MeasuredPair
) -> None:
    assert _states(_decide(Measurements(better)))["cost"] == "unknown"
    assert _decide(Measurements(better)).outcome == "kept"
    undefined = replace(better, ece=(0.04, None), why_no_ece="12 samples")
    decision = _decide(Measurements(undefined, cost=_COST))
    assert decision.outcome == "kept" and "12 samples" in decision.reasons[0]
    few = measure_pair(
        "b", _evaluate(_BEFORE, groups=9), _evaluate({"swap": 3.0, "reenact": 3.0}, groups=9)
    )
    decision = _decide(Measurements(few, cost=_COST))
    assert decision.outcome == "kept"
    assert "9 groups, at least 10" in decision.reasons[0]


def test_without_a_held_out_set_nobody_can_say(better: MeasuredPair) -> None:
    decision = _decide(Measurements(None, tests=(better,), cost=_COST), PromotionPolicy())
    assert decision.outcome == "no_held_out_set"
    assert len(decision.parts) == 2, "what was measured is shown"


def test_a_decision_comes_back_from_disk_and_reads_well(
    better: MeasuredPair, tmp_path: Path
) -> None:
    decision = _decide(Measurements(better, cost=_COST, notes=("a note",)))
    path = write_decision(tmp_path / "decision.json", decision)
    assert read_decision(path) == decision
    page = decision_markdown(decision)
    assert page.startswith("# The challenger becomes champion.")
    for expected in (
        "measurements on it so far: 3;",
        "| gain | yes |",
        "method swap",
        "> a note",
        "min_gain 0.005",
    ):
        assert expected in page, page
    path.write_text('{"schema_version": 1}')
    with pytest.raises(DataError, match="not a decision"):
        read_decision(path)


def test_a_decision_of_an_earlier_version_is_read(better: MeasuredPair, tmp_path: Path) -> None:
    decision = _decide(Measurements(better, cost=_COST))
    value = decision.model_dump(mode="json")
    for check in value["checks"]:
        check["told"] = check.pop("reason")
    value["benchmark_digest"] = value.pop("held_out_digest")
    value["policy"]["benchmark"] = value["policy"].pop("held_out")
    path = tmp_path / "decision.json"
    path.write_text(json.dumps(value))
    assert read_decision(path) == decision
    path.write_text(json.dumps({**value, "outcome": "no_benchmark"}))
    assert read_decision(path).outcome == "no_held_out_set"


def test_evaluations_of_other_files_are_not_compared(
    champion: EvaluationResult,
) -> None:
    other = _evaluate({"swap": 2.0})
    with pytest.raises(DataError, match="same files"):
        measure_pair("b", champion, other)


def test_policies_are_files(tmp_path: Path) -> None:
    default = load_policy()
    assert default == PromotionPolicy()
    path = tmp_path / "mine.toml"
    path.write_text('held_out = "newsdesk"\nmin_gain = 0.01\n')
    mine = load_policy(str(path))
    assert (mine.held_out, mine.min_gain) == ("newsdesk", 0.01)
    assert mine.max_regression == default.max_regression
    path.write_text('benchmark = "newsdesk"\n')
    assert load_policy(str(path)).held_out == "newsdesk", "its former name"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_gain = -1", "min_gain: Input should be greater"),
        ("gain = 1", "gain: Extra inputs"),
        ("min_gain =", "is no TOML"),
    ],
)
def test_a_policy_that_is_none_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_policy(str(path))
    with pytest.raises(ConfigError, match="no policy"):
        load_policy(str(tmp_path / "absent.toml"))
