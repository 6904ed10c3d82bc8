"""A decision is made once, and what MLflow learns of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deepfake.evaluation.promotion import (
    Challenge,
    CostComparison,
    Decision,
    Measurements,
    PromotionPolicy,
    decision_key,
    decision_metrics,
    find_champion,
    save_decision,
    version_tags,
)
from deepfake.storage import DataRoot

_MEASURED = Measurements(None, cost=CostComparison(10.0, 12.5, 1.25, "cpu", 64, 7))


@pytest.fixture
def challenge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Challenge:
    """Return the packaged detector, challenged by itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    champion = find_champion("tried", data_root=tmp_path)
    folder = tmp_path / "decision"
    return Challenge(champion, champion.bundle, "tried", PromotionPolicy(), None, folder)


@pytest.fixture
def decision(challenge: Challenge, tmp_path: Path) -> Decision:
    return challenge.decide(_MEASURED, root=DataRoot(tmp_path))


def test_without_a_held_out_set_no_look_is_counted(decision: Decision) -> None:
    assert (decision.outcome, decision.num_looks) == ("no_held_out_set", 0)
    assert decision.challenger.name == "tried" and decision.challenger.version is None


def test_what_was_decided_is_not_decided_again(challenge: Challenge, decision: Decision) -> None:
    assert challenge.earlier_decision() is None
    page = save_decision(decision, challenge.folder)
    assert (challenge.folder / "decision.md").read_text(encoding="utf-8") == page
    assert challenge.earlier_decision() == decision
    stricter = PromotionPolicy(min_gain=0.1)
    assert replace(challenge, policy=stricter).earlier_decision() is None
    (challenge.folder / "decision.json").write_text("{}")
    assert challenge.earlier_decision() is None


def test_a_decision_keeps_the_key_that_version_0_1_gave_it(decision: Decision) -> None:
    fixed = decision.model_copy(
        update={"challenger": decision.challenger.model_copy(update={"digest": "b" * 16})}
    )
    assert decision_key(fixed, key="k") == "35881da8063d10e2"


def test_only_what_was_measured_is_a_number(decision: Decision) -> None:
    assert decision_metrics(decision) == {"cost_ratio": 1.25, "held_out_looks": 0.0}


def test_a_version_says_what_was_decided_about_it(decision: Decision) -> None:
    tags = version_tags(decision, decision_run="r", champion=None)
    assert tags["decision"] == "no_held_out_set"
    assert tags["decision.champion"] == tags["decision.held_out"] == "none"
    assert {key for key in tags if key.startswith("data.")} == {
        f"data.{corpus}" for corpus in decision.data_digests
    }
