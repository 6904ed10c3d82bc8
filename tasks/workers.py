"""The media workers that JSON parameters describe, so that any process can start them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepfake.config import ExtractConfig, MediaLimits, SamplingConfig, WorkerLimits
from deepfake.ingestion import worker_setup
from deepfake.scoring import DetectorIdentity, ScorerSetup, scorer_setup
from deepfake.workers import WorkerSetup

__all__ = ["create_scorer_setup", "create_worker_setup"]


def create_scorer_setup(setup: dict[str, Any]) -> ScorerSetup:
    """Return what scores."""
    detector = setup["detector"]
    sampling = setup["sampling"]
    return ScorerSetup(
        detector=DetectorIdentity(Path(detector["path"]), detector["name"], detector["version"]),
        device=setup["device"],
        precision=setup["precision"],
        sampling=None if sampling is None else SamplingConfig.model_validate(sampling),
        prior=setup["prior"],
        limits=MediaLimits.model_validate(setup["media_limits"]),
        cache=Path(setup["cache"]),
    )


def create_worker_setup(setup: dict[str, Any]) -> WorkerSetup:
    """Return the workers' set-up: scorers where a detector is named, else extractors."""
    limits = WorkerLimits.model_validate(setup["limits"])
    if "detector" in setup:
        scorer = create_scorer_setup(setup)
        return scorer_setup(scorer, limits=limits, num_workers=setup["num_workers"])
    return worker_setup(
        ExtractConfig.model_validate(setup["config"]),
        decoder=setup["decoder"],
        device=setup["device"],
        cache=Path(setup["cache"]),
        limits=limits,
        num_workers=setup["num_workers"],
    )
