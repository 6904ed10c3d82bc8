"""Make the evidence for many scores in media workers; a file that breaks its worker gets a note."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake.compute.workers import Failure, MediaWorkers, WorkerSetup
from deepfake.config import MediaLimits, WorkerLimits
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.sync_bundle import SyncBundle, load_sync_bundle
from deepfake.detectors.voice_bundle import VoiceBundle, load_voice_bundle
from deepfake.evidence.explainer import (
    ExplainerSetup,
    create_explainer,
    explain_medium,
    read_provenance,
)
from deepfake.evidence.provenance import Provenance, unreadable_provenance
from deepfake.evidence.records import Evidence, EvidenceRecord, evidence_folder, write_evidence
from deepfake.evidence.request import EvidenceRequest, create_request, has_score
from deepfake.evidence.timelines import create_record
from deepfake.storage import Location

if TYPE_CHECKING:
    from deepfake.scoring.scorer_settings import ScoredMedium, ScorerSetup

__all__ = [
    "evidence_setup",
    "explain_and_write",
    "explain_media",
    "explain_scores",
]


def evidence_setup(
    detector: Path,
    *,
    media_limits: MediaLimits,
    worker_limits: WorkerLimits,
    num_workers: int,
    max_frames: int = 3,
    max_crops: int = 4,
    voice: Path | None = None,
    sync: Path | None = None,
) -> WorkerSetup:
    """Return the setup of workers that make evidence.

    Args:
        detector: The bundle's folder.
        media_limits: How large a medium may be.
        worker_limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
        max_frames: How many whole frames are shown, the strongest first.
        max_crops: How many faces of the deciding track are shown, the strongest first.
        voice: The folder of the detector of voices; None leaves its thresholds out.
        sync: The folder of the detector of lips and sound; None leaves its threshold out.
    """
    explainer = ExplainerSetup(detector, media_limits, max_frames, max_crops, voice, sync)
    return WorkerSetup(create_explainer, explainer, worker_limits, num_workers)


def explain_and_write(
    version_dir: Location, requests: Sequence[EvidenceRequest], *, workers: MediaWorkers
) -> int:
    """Make the evidence for scores and write it beside them.

    Args:
        version_dir: Folder of one version of the scores.
        requests: The scores.
        workers: Set up by `evidence_setup`.

    Returns:
        Number of scores whose evidence is complete.
    """
    folder, num_complete = evidence_folder(version_dir), 0
    for evidence in explain_media(requests, workers=workers):
        write_evidence(folder, evidence.record, evidence.pictures)
        num_complete += evidence.record.is_whole
    return num_complete


def explain_scores(
    media: Sequence[ScoredMedium],
    *,
    setup: ScorerSetup,
    limits: WorkerLimits,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Evidence]:
    """Make the evidence for a few scores, and write nothing.

    Args:
        media: Scored media; those without a score get no evidence, and each content gets it once.
        setup: Which detector, and how it scored.
        limits: What one file may cost.
        on_done: Called with the number of scores done, after each.
    """
    requests = {
        str(medium.score.media_id): create_request(
            medium.score.as_row(), medium.frames, medium.windows, medium.blocks
        )
        for medium in media
        if has_score(medium.score.as_row())
    }
    if not requests:
        return []
    explainer = evidence_setup(
        setup.detector.path,
        media_limits=setup.limits,
        worker_limits=limits,
        num_workers=min(len(requests), len(os.sched_getaffinity(0))),
        voice=None if setup.voice is None else setup.voice.path,
        sync=None if setup.sync is None else setup.sync.path,
    )
    with MediaWorkers(explainer) as workers:
        return list(explain_media(list(requests.values()), workers=workers, on_done=on_done))


def explain_media(
    requests: Sequence[EvidenceRequest],
    *,
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> Iterator[Evidence]:
    """Yield the evidence for each score, in order; a note says what could not be made.

    Args:
        requests: The scores.
        workers: Set up by `evidence_setup`.
        on_done: Called with the number of scores done, after each.
    """
    setup: ExplainerSetup = workers.setup.argument
    bundle = load_bundle(setup.bundle)
    voice = None if setup.voice is None else load_voice_bundle(setup.voice)
    sync = None if setup.sync is None else load_sync_bundle(setup.sync)
    # Two jobs a file, so that a crash of the one library loses nothing that the other has read.
    explained = workers.map(explain_medium, requests)
    provenances = workers.map(read_provenance, requests)
    triples = zip(requests, explained, provenances, strict=True)
    for num_done, (request, result, provenance) in enumerate(triples, start=1):
        evidence = _or_timelines(result, request, bundle, voice, sync)
        yield Evidence(_with_provenance(evidence.record, provenance), evidence.pictures)
        on_done(num_done)


def _or_timelines(
    result: Evidence | Failure,
    request: EvidenceRequest,
    bundle: Bundle,
    voice: VoiceBundle | None,
    sync: SyncBundle | None,
) -> Evidence:
    """Return the evidence; of a file that broke its worker, the timelines alone."""
    if isinstance(result, Evidence):
        return result
    record = create_record(request, bundle=bundle, voice_bundle=voice, sync_bundle=sync)
    return Evidence(record.without_pictures(result.message), {})


def _with_provenance(record: EvidenceRecord, result: Provenance | str | Failure) -> EvidenceRecord:
    if isinstance(result, Provenance):
        return record.model_copy(update={"provenance": result})
    provenance = unreadable_provenance(result.message if isinstance(result, Failure) else result)
    return record.model_copy(update={"provenance": provenance, "is_whole": False})
