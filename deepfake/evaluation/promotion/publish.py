"""What MLflow learns of a decision: numbers, the tags of the version, its alias."""

from __future__ import annotations

from deepfake.config import digest_of
from deepfake.evaluation.promotion.decision import Decision
from deepfake.registry import CHALLENGER, CHAMPION, list_rolled_back, promote, set_alias

__all__ = ["assign_alias", "decision_key", "decision_metrics", "decision_tags", "version_tags"]


def decision_key(decision: Decision, *, key: str) -> str:
    """Return the digest by which the run of a decision is found again.

    Args:
        decision: The decision.
        key: Of the retraining.
    """
    # The policy as version 0.1 wrote it: its decisions keep their keys.
    policy = decision.policy.model_dump(mode="json")
    policy["benchmark"] = policy.pop("held_out")
    return digest_of(key, policy, decision.held_out_digest, decision.challenger.digest)


def decision_metrics(decision: Decision) -> dict[str, float]:
    """Return the numbers of a decision that were measured."""
    part = next((p for p in decision.parts if p.is_headline), None)
    found = {
        "auc_champion": None if part is None else part.champion,
        "auc_challenger": None if part is None else part.challenger,
        "auc_difference": None if part is None else part.difference,
        "auc_difference_low": None if part is None else part.low,
        "auc_difference_high": None if part is None else part.high,
        "ece_champion": None if decision.ece is None else decision.ece[0],
        "ece_challenger": None if decision.ece is None else decision.ece[1],
        "cost_ratio": None if decision.cost is None else float(decision.cost["ratio"]),
        "held_out_looks": float(decision.num_looks),
    }
    return {name: value for name, value in found.items() if value is not None}


def decision_tags(decision: Decision) -> dict[str, str]:
    """Return the tags of the run that records a decision, beside those of the retraining."""
    return {
        "stage": "decision",
        "modality": decision.modality,
        "outcome": decision.outcome,
        "model_digest": decision.challenger.digest,
    }


def version_tags(decision: Decision, *, decision_run: str, champion: int | None) -> dict[str, str]:
    """Return the tags of the challenger's version.

    Args:
        decision: The decision about it.
        decision_run: Its run in MLflow.
        champion: The version that was challenged; None for the packaged detector.
    """
    return {
        "stage": "retrain",
        **{f"data.{corpus}": digest for corpus, digest in decision.data_digests.items()},
        "decision": decision.outcome,
        "decision.run_id": decision_run,
        "decision.at": decision.decided_at,
        "decision.champion": str(champion or "none"),
        "decision.held_out": decision.policy.held_out or "none",
    }


def assign_alias(
    decision: Decision, *, name: str, version: int, champion: int | None, why: str, uri: str
) -> tuple[str, str | None]:
    """Give the challenger's version its alias: champion if it was promoted.

    Args:
        decision: The decision about it.
        name: Of the registered model.
        version: The challenger's.
        champion: The version that must still be champion; None if nobody must be.
        why: The reason, for the history of champions.
        uri: The store.

    Returns:
        The alias, and why it is another one than was decided.

    Raises:
        TrackingError: Another version is champion by now, or the store refused.
    """
    if decision.outcome != "promoted":
        set_alias(name, alias=CHALLENGER, version=version, uri=uri)
        return CHALLENGER, None
    if version in list_rolled_back(name, uri=uri):
        set_alias(name, alias=CHALLENGER, version=version, uri=uri)
        return CHALLENGER, (
            f"version {version} was rolled back from: only a person makes it champion again"
        )
    promote(name, version, author="retrain", reason=why, expected=champion or "nobody", uri=uri)
    return CHAMPION, None
