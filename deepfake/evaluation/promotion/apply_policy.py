"""Decide by a policy whether a challenger becomes champion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

from deepfake.config import Modality
from deepfake.evaluation import SliceComparison
from deepfake.evaluation.promotion.decision import (
    AucComparison,
    ComparedSlice,
    Contender,
    Decision,
    PolicyCheck,
)
from deepfake.evaluation.promotion.measurements import MeasuredPair, Measurements
from deepfake.evaluation.promotion.policy import PromotionPolicy

__all__ = ["decide"]

_MAX_NAMED = 5


def decide(
    policy: PromotionPolicy,
    measurements: Measurements,
    *,
    champion: Contender,
    challenger: Contender,
    data_digests: Mapping[str, str],
    held_out_digest: str | None = None,
    num_uses: int = 0,
    modality: Modality = "faces",
) -> Decision:
    """Decide whether a challenger takes the champion's place.

    Args:
        policy: The limits that the challenger must keep.
        measurements: Of both detectors.
        champion: Who is champion.
        challenger: Who is tried.
        data_digests: Snapshots that the challenger learnt from.
        held_out_digest: Of the held-out set.
        num_uses: How often detectors were measured on it, this time too.
        modality: What the detectors are of.

    Returns:
        The decision: `promoted` if every check passed, `no_held_out_set` if there was none.
    """
    checks = (
        _gain(policy, measurements.held_out),
        _regression(policy, measurements),
        _calibration(policy, measurements.held_out),
        _cost(policy, measurements),
    )
    outcome: Literal["promoted", "kept", "no_held_out_set"] = "kept"
    if measurements.held_out is None:
        outcome = "no_held_out_set"
    elif all(check.state == "passed" for check in checks):
        outcome = "promoted"
    return Decision(
        outcome=outcome,
        modality=modality,
        champion=champion,
        challenger=challenger,
        policy=policy,
        held_out_digest=held_out_digest,
        num_looks=num_uses,
        checks=checks,
        parts=tuple(part for pair in _pairs(measurements) for part in _parts(pair)),
        slices=tuple(
            _slice(pair, slice_comparison, policy)
            for pair in _pairs(measurements)
            for slice_comparison in pair.slices
        ),
        ece=None if measurements.held_out is None else measurements.held_out.ece,
        cost=None if measurements.cost is None else asdict(measurements.cost),
        data_digests=dict(data_digests),
        notes=measurements.notes,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _pairs(measurements: Measurements) -> tuple[MeasuredPair, ...]:
    held_out = () if measurements.held_out is None else (measurements.held_out,)
    return (*held_out, *measurements.tests)


def _gain(policy: PromotionPolicy, pair: MeasuredPair | None) -> PolicyCheck:
    if pair is None:
        return PolicyCheck(
            name="gain", state="unknown", reason="there is no held-out set to gain on"
        )
    headline = pair.headline
    if headline.difference is None:
        why = "; ".join(headline.why.values())
        return PolicyCheck(
            name="gain", state="unknown", reason=f"AUC on {pair.name} is undefined ({why})"
        )
    difference = f"AUC on {pair.name} differs by {headline.difference:+.4f}"
    if headline.low is None or headline.high is None:
        why = "; ".join(sorted(set(headline.why.values())))
        return PolicyCheck(
            name="gain", state="unknown", reason=f"{difference}, its interval is {why}"
        )
    is_met = headline.difference >= policy.min_gain and headline.low > 0
    return PolicyCheck(
        name="gain",
        state="passed" if is_met else "failed",
        reason=f"{difference} ({headline.low:+.4f} to {headline.high:+.4f}); required are at least "
        f"{policy.min_gain:+g} and an interval above 0",
    )


def _regression(policy: PromotionPolicy, measurements: Measurements) -> PolicyCheck:
    judged = [
        judged_slice for pair in _pairs(measurements) for judged_slice in _judged(policy, pair)
    ]
    worse = [(name, d) for name, d in judged if d < -policy.max_regression]
    if not judged:
        return PolicyCheck(
            name="regression",
            state="unknown",
            reason="no corpus or slice to look for regressions on",
        )
    if not worse:
        name, least = min(judged, key=lambda judged_slice: judged_slice[1])
        return PolicyCheck(
            name="regression",
            state="passed",
            reason=f"of {len(judged)} corpora and slices the worst is {name} with {least:+.4f}; "
            f"allowed are {-policy.max_regression:g}",
        )
    worse.sort(key=lambda judged_slice: judged_slice[1])
    named = ", ".join(f"{name} by {-d:.4f}" for name, d in worse[:_MAX_NAMED])
    more = f" and {len(worse) - _MAX_NAMED} more" if len(worse) > _MAX_NAMED else ""
    return PolicyCheck(
        name="regression",
        state="failed",
        reason=f"worse by more than {policy.max_regression:g} on {named}{more}",
    )


def _judged(policy: PromotionPolicy, pair: MeasuredPair) -> Iterator[tuple[str, float]]:
    """Yield the corpus and its slices that are large enough, each with the challenger's gain."""
    if pair.headline.difference is not None:
        yield pair.name, pair.headline.difference
    for slice_comparison in pair.slices:
        if slice_comparison.n >= policy.min_slice_files:
            yield (
                f"{slice_comparison.by} {slice_comparison.value} of {pair.name}",
                slice_comparison.difference,
            )


def _calibration(policy: PromotionPolicy, pair: MeasuredPair | None) -> PolicyCheck:
    if pair is None:
        return PolicyCheck(
            name="calibration", state="unknown", reason="there is no held-out set to measure on"
        )
    before, after = pair.ece
    if before is None or after is None:
        undefined = f"the calibration error on {pair.name} is undefined ({pair.why_no_ece})"
        return PolicyCheck(name="calibration", state="unknown", reason=undefined)
    is_met = after - before <= policy.max_ece_rise
    return PolicyCheck(
        name="calibration",
        state="passed" if is_met else "failed",
        reason=f"the calibration error on {pair.name} goes from {before:.4f} to {after:.4f}; "
        f"allowed are {policy.max_ece_rise:+g}",
    )


def _cost(policy: PromotionPolicy, measurements: Measurements) -> PolicyCheck:
    cost = measurements.cost
    if cost is None:
        return PolicyCheck(
            name="cost", state="unknown", reason="there is nothing to measure cost on"
        )
    is_met = cost.ratio <= policy.max_cost_ratio
    return PolicyCheck(
        name="cost",
        state="passed" if is_met else "failed",
        reason=f"a {cost.unit} costs {cost.ratio:.2f} times the champion's; allowed are "
        f"{policy.max_cost_ratio:g}",
    )


def _parts(pair: MeasuredPair) -> Iterator[AucComparison]:
    bases: tuple[Literal["all", "matched"], ...] = ("all", "matched")
    for basis, comparison in zip(bases, (pair.all, pair.matched), strict=True):
        if comparison is None:
            continue
        yield AucComparison(
            name=pair.name,
            basis=basis,
            n=comparison.n,
            n_groups=comparison.n_groups,
            champion=comparison.auc_a,
            challenger=comparison.auc_b,
            difference=comparison.difference,
            low=comparison.low,
            high=comparison.high,
            is_headline=pair.basis == basis,
        )


def _slice(
    pair: MeasuredPair, slice_comparison: SliceComparison, policy: PromotionPolicy
) -> ComparedSlice:
    return ComparedSlice(
        part=pair.name,
        slice=f"{slice_comparison.by} {slice_comparison.value}",
        measure=slice_comparison.measure,
        n=slice_comparison.n,
        champion=slice_comparison.first,
        challenger=slice_comparison.second,
        difference=slice_comparison.difference,
        low=slice_comparison.low,
        high=slice_comparison.high,
        is_judged=slice_comparison.n >= policy.min_slice_files,
    )
