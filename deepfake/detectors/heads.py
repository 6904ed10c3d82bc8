"""Say what the surest head of a network sees in a face."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

from deepfake.detectors.bundles import HeadSpec

__all__ = ["describe_fake"]

_SEEN = {
    "self_blended": "like a face laid over another",
    "labelled": "like the fakes of its training data",
}


def describe_fake(heads: Sequence[HeadSpec], crops: Collection[Mapping[Any, Any]]) -> str | None:
    """Return what a face that is called fake looks like; None of a network with a single head.

    Args:
        heads: Of the detector.
        crops: What the network returns for each, by the names of `DetectorSpec.outputs`.

    Example:
        >>> heads = (HeadSpec(name="blended", learns_from="self_blended"), HeadSpec(name="fake"))
        >>> describe_fake(heads, [{"logit_blended": 2.0, "logit_fake": 1.0}])
        'looks blended: like a face laid over another'
    """
    head = _surest_head(heads, crops)
    if head is None:
        return None
    seen = _SEEN.get(head.learns_from)
    return f"looks {head.name}" if seen is None else f"looks {head.name}: {seen}"


def _surest_head(
    heads: Sequence[HeadSpec], crops: Collection[Mapping[Any, Any]]
) -> HeadSpec | None:
    """Return the head with the highest log-odds over crops; None of a single head.

    Heads that answer one question are averaged; the first of them stands for all.

    Args:
        heads: Of the detector.
        crops: What the network returns for each, by the names of `DetectorSpec.outputs`.
    """
    if len(heads) == 1:
        return None
    log_odds: dict[str, list[float]] = defaultdict(list)
    first: dict[str, HeadSpec] = {}
    for head in heads:
        mean = fmean(crop[f"logit_{head.name}"] for crop in crops)
        log_odds[head.question].append((mean - head.center) / head.scale)
        first.setdefault(head.question, head)
    return first[max(log_odds, key=lambda question: fmean(log_odds[question]))]
