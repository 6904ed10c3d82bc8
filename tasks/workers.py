"""The media workers that JSON parameters describe, so that any process can start them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepfake.compute.workers import WorkerSetup
from deepfake.config import ExtractConfig, MediaLimits, SamplingConfig, WorkerLimits
from deepfake.corpora.ingest import worker_setup
from deepfake.detectors.identity import DetectorIdentity
from deepfake.scoring import ScorerSetup, scorer_setup
from deepfake.storage import Location, StorePath, folder_locally, location_of, machine_cache

__all__ = ["create_scorer_setup", "create_worker_setup", "share_detector"]


def share_detector(setup: dict[str, Any], folder: Location) -> dict[str, Any]:
    """Return the set-up for machines that share nothing with this one but a store.

    Args:
        setup: What every task is told.
        folder: Where the scores go; in a store the detector is put there too.
    """
    if not isinstance(folder, StorePath):
        return setup
    target = folder / "detector"
    there = {path.name: told.size_bytes for path, told in target.iter_objects()}
    for file in sorted(Path(setup["detector"]["path"]).iterdir()):
        if there.get(file.name) != file.stat().st_size:
            (target / file.name).put(file)
    return {**setup, "detector": {**setup["detector"], "path": str(target)}}


def _local_bundle(path: str) -> Path:
    place = location_of(path)
    return folder_locally(place) if isinstance(place, StorePath) else place


def _engine_cache(setup: dict[str, Any]) -> Path:
    return Path(setup["cache"]) if setup["cache"] else machine_cache() / "openvino"


def create_scorer_setup(setup: dict[str, Any]) -> ScorerSetup:
    """Return what scores."""
    detector = setup["detector"]
    sampling = setup["sampling"]
    return ScorerSetup(
        detector=DetectorIdentity(
            _local_bundle(detector["path"]), detector["name"], detector["version"]
        ),
        device=setup["device"],
        precision=setup["precision"],
        sampling=None if sampling is None else SamplingConfig.model_validate(sampling),
        prior=setup["prior"],
        limits=MediaLimits.model_validate(setup["media_limits"]),
        cache=_engine_cache(setup),
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
        cache=_engine_cache(setup),
        limits=limits,
        num_workers=setup["num_workers"],
    )
