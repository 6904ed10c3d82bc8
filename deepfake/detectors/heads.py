"""What several heads of a network say together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

from deepfake.detectors.bundles import HeadSpec

__all__ = ["surest_head"]


def surest_head(heads: Sequence[HeadSpec], crops: Collection[Mapping[Any, Any]]) -> str | None:
    """Return the name of the head with the highest log-odds over crops; None of a single head.

    Args:
        heads: Of the detector.
        crops: What the network returns for each, by the names of `DetectorSpec.outputs`.
    """
    if len(heads) == 1:
        return None
    log_odds = {
        head.name: (fmean(crop[f"logit_{head.name}"] for crop in crops) - head.center) / head.scale
        for head in heads
    }
    return max(log_odds, key=lambda name: log_odds[name])
