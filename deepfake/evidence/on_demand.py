"""Make evidence that is missing beside scores that lie in a folder already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepfake.compute.workers import MediaWorkers
from deepfake.detectors.bundles import Bundle, load_bundle, packaged_detector
from deepfake.detectors.sync_bundle import load_sync_bundle, packaged_sync_detector
from deepfake.detectors.voice_bundle import load_voice_bundle, packaged_voice_detector
from deepfake.errors import DeepfakeError, UnknownModelError
from deepfake.evidence.explain import evidence_setup, explain_and_write
from deepfake.evidence.request import EvidenceRequest
from deepfake.evidence.selection import (
    find_missing_evidence,
    find_request,
    remove_stale_evidence,
)
from deepfake.registry.resolve import (
    resolve_detector,
    resolve_sync_detector,
    resolve_voice_detector,
)
from deepfake.scoring.setups import read_setup
from deepfake.storage import Location, StorePath, location_of, read_json

__all__ = [
    "MadeEvidence",
    "make_evidence_batches",
    "make_evidence_for",
    "make_missing_evidence",
]

_BATCH_FILES = 8
"""Two or three seconds a file."""


@dataclass(frozen=True, slots=True)
class MadeEvidence:
    """Result of making evidence.

    Attributes:
        num_made: Files for which it was made.
        error: Why it could not be made; None where it was.
        hint: What to do about the error, where that is known.
    """

    num_made: int
    error: str | None = None
    hint: str | None = None

    @property
    def problem(self) -> str | None:
        """The error with its hint; None where the evidence was made."""
        return f"{self.error}. {self.hint}" if self.hint else self.error


def make_evidence_batches(
    version: Location,
    *,
    find_requests: Callable[[], list[EvidenceRequest]],
    run_batches: Callable[[list[list[EvidenceRequest]]], object],
) -> MadeEvidence:
    """Remove stale evidence and make what is missing, a few files at a time.

    An error is returned, not raised: the scores are there without evidence too.

    Args:
        version: The folder of the scores of one version, whose tables are written.
        find_requests: Finds what is missing; called when stale evidence is removed.
        run_batches: Makes the evidence of all batches; not called where nothing is missing.
    """
    try:
        remove_stale_evidence(version)
        requests = find_requests()
        if requests:
            run_batches(_batches_of(requests))
    except (DeepfakeError, OSError) as error:
        return MadeEvidence(0, error=str(error), hint=getattr(error, "hint", None))
    return MadeEvidence(len(requests))


def _batches_of(requests: Sequence[EvidenceRequest]) -> list[list[EvidenceRequest]]:
    starts = range(0, len(requests), _BATCH_FILES)
    return [list(requests[start : start + _BATCH_FILES]) for start in starts]


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
    detectors: list[Bundle] = []

    def find_requests() -> list[EvidenceRequest]:
        if not num_files:
            return []
        detectors.append(_detector_of(version_dir, weights=weights, data_root=data_root))
        return find_missing_evidence(version_dir, bundle=detectors[0], num_files=num_files)

    def run_batches(batches: list[list[EvidenceRequest]]) -> None:
        total = sum(len(batch) for batch in batches)
        for done in _make(version_dir, batches, bundle=detectors[0], data_root=data_root):
            on_done(done, total)

    return make_evidence_batches(version_dir, find_requests=find_requests, run_batches=run_batches)


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
    batches = [[find_request(version_dir, media_id)]]
    for _ in _make(version_dir, batches, bundle=bundle, data_root=data_root):
        pass


def _make(
    version_dir: Location,
    batches: list[list[EvidenceRequest]],
    *,
    bundle: Bundle,
    data_root: Location,
) -> Iterator[int]:
    """Make evidence a batch at a time, and yield how many files are done."""
    configuration = read_setup(version_dir).configuration
    num_files = sum(len(batch) for batch in batches)
    setup = evidence_setup(
        bundle.path,
        media_limits=configuration.media_limits,
        worker_limits=configuration.worker_limits,
        num_workers=min(num_files, len(os.sched_getaffinity(0))),
        voice=_voice_detector_of(version_dir, data_root=data_root),
        sync=_sync_detector_of(version_dir, data_root=data_root),
    )
    num_done = 0
    with MediaWorkers(setup) as workers:
        for batch in batches:
            explain_and_write(version_dir, batch, workers=workers)
            num_done += len(batch)
            yield num_done


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
    yield from _noted_folder(version_dir, "detector")
    if packaged := packaged_detector():
        yield packaged
    with suppress(DeepfakeError):
        yield resolve_detector(data_root=data_root)[0].path


def _voice_detector_of(version_dir: Location, *, data_root: Location) -> Path | None:
    """Return the folder of the detector that judged the voices; None where it is not here."""
    wanted = read_setup(version_dir).voice_detector
    if wanted is None:
        return None
    for folder in _voice_candidates(version_dir, data_root=data_root):
        with suppress(DeepfakeError, OSError):
            if load_voice_bundle(folder).digest == wanted.digest:
                return folder
    return None


def _voice_candidates(version_dir: Location, *, data_root: Location) -> Iterator[Path]:
    yield from _noted_folder(version_dir, "voice_detector")
    if packaged := packaged_voice_detector():
        yield packaged
    with suppress(DeepfakeError):
        found = resolve_voice_detector(data_root=data_root)
        if found is not None:
            yield found[0].path


def _sync_detector_of(version_dir: Location, *, data_root: Location) -> Path | None:
    """Return the folder of the detector that compared lips with sound; None as for voices."""
    wanted = read_setup(version_dir).sync_detector
    if wanted is None:
        return None
    for folder in _sync_candidates(version_dir, data_root=data_root):
        with suppress(DeepfakeError, OSError):
            if load_sync_bundle(folder).digest == wanted.digest:
                return folder
    return None


def _sync_candidates(version_dir: Location, *, data_root: Location) -> Iterator[Path]:
    yield from _noted_folder(version_dir, "sync_detector")
    if packaged := packaged_sync_detector():
        yield packaged
    with suppress(DeepfakeError):
        found = resolve_sync_detector(data_root=data_root)
        if found is not None:
            yield found[0].path


def _noted_folder(version_dir: Location, name: str) -> Iterator[Path]:
    """Yield the folder from which a detector was loaded that scored, as far as it is noted."""
    with suppress(DeepfakeError, OSError, KeyError, TypeError):
        noted = location_of(read_json(version_dir / "run.json")[name]["path"])
        if not isinstance(noted, StorePath):
            yield noted
