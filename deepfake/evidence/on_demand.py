"""Make evidence when somebody looks at it, for scores that lie in a folder already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepfake.compute.workers import MediaWorkers
from deepfake.detectors.bundles import Bundle, load_bundle, packaged_detector
from deepfake.errors import DeepfakeError, UnknownModelError
from deepfake.evidence.explain import evidence_setup, explain_and_write
from deepfake.evidence.request import EvidenceRequest
from deepfake.evidence.selection import (
    find_missing_evidence,
    find_request,
    remove_stale_evidence,
)
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring.setups import read_setup
from deepfake.storage import Location, StorePath, location_of, read_json

__all__ = ["MadeEvidence", "make_evidence_for", "make_missing_evidence"]

_BATCH_FILES = 8


@dataclass(frozen=True, slots=True)
class MadeEvidence:
    """Result of making evidence.

    Attributes:
        num_made: Files for which it was made.
        num_wanted: Files for which it was missing.
        problem: Why it could not be made; None where it was.
    """

    num_made: int
    num_wanted: int
    problem: str | None = None


def make_missing_evidence(
    version_dir: Location,
    *,
    num_files: int,
    weights: str | None = None,
    data_root: Location = Path("data"),
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> MadeEvidence:
    """Make missing evidence for the highest-scoring and most uncertain files of a folder.

    An error is returned, not raised: the folder can be shown without evidence.

    Args:
        version_dir: The folder of the scores of one version.
        num_files: For how many files there shall be evidence.
        weights: The detector that scored; None to look for it.
        data_root: Whose registry may hold it.
        on_done: Called with the files done and the files in all, after each few.
    """
    requests: list[EvidenceRequest] = []
    try:
        remove_stale_evidence(version_dir)
        if num_files:
            bundle = _detector_of(version_dir, weights=weights, data_root=data_root)
            requests = find_missing_evidence(version_dir, bundle=bundle, num_files=num_files)
            for done in _make(version_dir, requests, bundle=bundle):
                on_done(done, len(requests))
    except (DeepfakeError, OSError) as error:
        hint = getattr(error, "hint", None)
        problem = f"{error}. {hint}" if hint else str(error)
        return MadeEvidence(0, len(requests), problem=problem)
    return MadeEvidence(len(requests), len(requests))


def make_evidence_for(
    version_dir: Location, media_id: str, *, data_root: Location = Path("data")
) -> None:
    """Make the evidence for one score of a folder.

    Args:
        version_dir: The folder of the scores of one version.
        media_id: Whose score.
        data_root: Whose registry may hold the detector.

    Raises:
        UnknownModelError: The detector that scored is not here.
        DataError: There is no such score.
    """
    bundle = _detector_of(version_dir, weights=None, data_root=data_root)
    for _ in _make(version_dir, [find_request(version_dir, media_id)], bundle=bundle):
        pass


def _make(
    version_dir: Location, requests: list[EvidenceRequest], *, bundle: Bundle
) -> Iterator[int]:
    """Make evidence a few files at a time, and yield how many are done."""
    if not requests:
        return
    configuration = read_setup(version_dir).configuration
    setup = evidence_setup(
        bundle.path,
        media_limits=configuration.media_limits,
        worker_limits=configuration.worker_limits,
        num_workers=min(len(requests), len(os.sched_getaffinity(0))),
    )
    with MediaWorkers(setup) as workers:
        for at in range(0, len(requests), _BATCH_FILES):
            batch = requests[at : at + _BATCH_FILES]
            explain_and_write(version_dir, batch, workers=workers)
            yield at + len(batch)


def _detector_of(version_dir: Location, *, weights: str | None, data_root: Location) -> Bundle:
    """Return the detector that made the scores of a version."""
    wanted = read_setup(version_dir).detector
    for folder in _candidates(version_dir, weights=weights, data_root=data_root):
        with suppress(DeepfakeError, OSError):
            bundle = load_bundle(folder)
            if bundle.digest == wanted.digest:
                return bundle
    raise UnknownModelError(
        f"the detector that made these scores ({wanted.name}, digest {wanted.digest}) is not here",
        hint="Name it with --weights to have the evidence made.",
    )


def _candidates(
    version_dir: Location, *, weights: str | None, data_root: Location
) -> Iterator[Path]:
    if weights is not None:
        yield resolve_detector(weights, data_root=data_root)[0].path
        return
    with suppress(DeepfakeError, OSError, KeyError, TypeError):
        noted = location_of(read_json(version_dir / "run.json")["detector"]["path"])
        if not isinstance(noted, StorePath):
            yield noted
    if packaged := packaged_detector():
        yield packaged
    with suppress(DeepfakeError):
        yield resolve_detector(data_root=data_root)[0].path
