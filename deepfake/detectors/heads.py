"""Find the head of a network that is surest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

from deepfake.detectors.bundles import HeadSpec

__all__ = ["surest_head"]


def surest_head(heads: Sequence[HeadSpec], crops: Collection[Mapping[Any, Any]]) -> str | None:
    """Return the name of the head with the highest log-odds over crops; None of a single head.

    Heads that answer one question have one voice, under the name of the first of them.

    Args:
        heads: Of the detector.
        crops: What the network returns for each, by the names of `DetectorSpec.outputs`.
    """
    if len(heads) == 1:
        return None
    log_odds: dict[str, list[float]] = defaultdict(list)
    names: dict[str, str] = {}
    for head in heads:
        mean = fmean(crop[f"logit_{head.name}"] for crop in crops)
        log_odds[head.question].append((mean - head.center) / head.scale)
        names.setdefault(head.question, head.name)
    return names[max(log_odds, key=lambda question: fmean(log_odds[question]))]
