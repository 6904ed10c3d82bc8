"""Extract a batch of media in the media workers, and write its shard."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from deepfake.compute.workers import Failure, MediaWorkers, WorkerSetup
from deepfake.config import (
    DecoderName,
    ExtractConfig,
    SpeechExtractConfig,
    SyncExtractConfig,
    WorkerLimits,
)
from deepfake.corpora.batches import Batch
from deepfake.corpora.shards import (
    FACES,
    SYNC,
    VOICE,
    crop_records,
    run_records,
    window_records,
    write_shard,
)
from deepfake.detectors.inference.remote_detector import device_setup
from deepfake.extract.extractor import (
    ExtractedMedium,
    ExtractorSetup,
    ExtractRequest,
    create_extractor,
    extract_medium,
)
from deepfake.extract.lips import MouthExtractorSetup, create_mouth_extractor, extract_mouths
from deepfake.extract.speech_extractor import create_speech_extractor, extract_speech
from deepfake.storage import Location
from deepfake.types import Outcome, Status

__all__ = [
    "BatchResult",
    "extract_batch",
    "mouth_worker_setup",
    "speech_worker_setup",
    "worker_setup",
]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What extracting a batch wrote.

    Attributes:
        key: Key of the shard.
        num_crops: Crops, windows of speech or runs of mouths in it.
        statuses: How many media ended in each status.
        seconds: Wall time.
    """

    key: str
    num_crops: int
    statuses: dict[str, int]
    seconds: float = field(default=0.0, compare=False)


def worker_setup(
    config: ExtractConfig,
    *,
    decoder: DecoderName = "pyav",
    device: str = "cpu",
    cache: Path | None = None,
    limits: WorkerLimits | None = None,
    num_workers: int = 0,
) -> WorkerSetup:
    """Return the set-up of media workers that extract face crops."""
    return WorkerSetup(
        create=create_extractor,
        argument=ExtractorSetup(config, decoder, device, cache),
        limits=limits or WorkerLimits(),
        num_workers=num_workers,
        device=device_setup(device),
    )


def speech_worker_setup(
    config: SpeechExtractConfig, *, limits: WorkerLimits | None = None, num_workers: int = 0
) -> WorkerSetup:
    """Return the set-up of media workers that extract windows of speech."""
    return WorkerSetup(
        create=create_speech_extractor,
        argument=config,
        limits=limits or WorkerLimits(),
        num_workers=num_workers,
    )


def mouth_worker_setup(
    config: SyncExtractConfig,
    *,
    device: str = "cpu",
    cache: Path | None = None,
    limits: WorkerLimits | None = None,
    num_workers: int = 0,
) -> WorkerSetup:
    """Return the set-up of media workers that extract runs of mouths with their sound."""
    return WorkerSetup(
        create=create_mouth_extractor,
        argument=MouthExtractorSetup(config, device, cache),
        limits=limits or WorkerLimits(),
        num_workers=num_workers,
        device=device_setup(device),
    )


def extract_batch(
    corpus_dir: Location,
    batch: Batch,
    *,
    uris: Mapping[str, str],
    workers: MediaWorkers,
    kind: str = FACES,
    on_done: Callable[[int], None] = lambda _: None,
) -> BatchResult:
    """Extract a batch in the media workers and write its shard.

    Args:
        corpus_dir: The folder of the corpus's shards.
        batch: The media.
        uris: Where each is read.
        workers: Set up by `worker_setup`, or for speech by `speech_worker_setup`, for
            mouths by `mouth_worker_setup`.
        kind: Of evidence, one of `RECORD_SCHEMAS`.
        on_done: Called with the number of media done, after each.
    """
    started = time.monotonic()
    requests = [ExtractRequest(uris[media_id], media_id) for media_id in batch.media_ids]
    records: list[dict[str, Any]] = []
    outcomes: list[Outcome] = []
    for outcome, own in _EXTRACTIONS[kind](requests, workers):
        outcomes.append(outcome)
        records += own
        on_done(len(outcomes))
    shard = write_shard(corpus_dir, key=batch.key, records=records, outcomes=outcomes, kind=kind)
    statuses = dict(Counter(str(outcome.status) for outcome in outcomes))
    return BatchResult(batch.key, shard.num_crops, statuses, time.monotonic() - started)


_Extracted: TypeAlias = Iterator[tuple[Outcome, list[dict[str, Any]]]]


def _extract_faces(requests: Sequence[ExtractRequest], workers: MediaWorkers) -> _Extracted:
    for request, result in zip(requests, workers.map(extract_medium, requests), strict=True):
        medium = _extracted(request, result, workers)
        kind = medium.kind
        yield (
            medium.outcome,
            []
            if kind is None
            else crop_records(request.media_id, str(kind), medium.crops, frame_wh=medium.frame_wh),
        )


def _extract_speech(requests: Sequence[ExtractRequest], workers: MediaWorkers) -> _Extracted:
    for request, result in zip(requests, workers.map(extract_speech, requests), strict=True):
        if isinstance(result, Failure):
            yield _outcome_of_failure(request, result), []
        else:
            yield result.outcome, window_records(request.media_id, str(result.kind), result.windows)


def _extract_mouths(requests: Sequence[ExtractRequest], workers: MediaWorkers) -> _Extracted:
    for request, result in zip(requests, workers.map(extract_mouths, requests), strict=True):
        if isinstance(result, Failure):
            yield _outcome_of_failure(request, result), []
        else:
            yield result.outcome, run_records(request.media_id, str(result.kind), result.runs)


_EXTRACTIONS: Mapping[str, Callable[[Sequence[ExtractRequest], MediaWorkers], _Extracted]] = (
    MappingProxyType({FACES: _extract_faces, VOICE: _extract_speech, SYNC: _extract_mouths})
)
"""By kind of evidence: yields the outcome and the records of each file."""


def _extracted(
    request: ExtractRequest, result: ExtractedMedium | Failure, workers: MediaWorkers
) -> ExtractedMedium:
    """Return what was extracted; a failure becomes an outcome.

    A file that crashed its worker under decord, which aborts the process on damage that PyAV can
    read around, is tried once more with PyAV.
    """
    is_crash = isinstance(result, Failure) and result.status is Status.CRASHED
    if is_crash and workers.setup.argument.decoder != "pyav":
        (result,) = workers.map(extract_medium, [replace(request, decoder="pyav")])
    if not isinstance(result, Failure):
        return result
    return ExtractedMedium(_outcome_of_failure(request, result))


def _outcome_of_failure(request: ExtractRequest, failure: Failure) -> Outcome:
    return Outcome(
        uri=request.uri,
        media_id=request.media_id,
        status=failure.status,
        error_type=failure.error_type,
        message=failure.message,
    )
