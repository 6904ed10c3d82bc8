"""Score a few files in the media workers, and keep nothing on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deepfake.compute.workers import Failure, MediaWorkers
from deepfake.config import WorkerLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.probe import probe_rows
from deepfake.detectors.bundles import load_bundle
from deepfake.extract.extracted_medium import ExtractRequest
from deepfake.scoring.score_rows import ScoreOrigin, refused_score
from deepfake.scoring.scorer_settings import (
    ScoredMedium,
    ScorerSetup,
    score_medium,
    score_origin,
    scorer_setup,
)
from deepfake.types import Score, Status

__all__ = ["score_files", "score_media", "score_of_result", "score_probed"]


def score_of_result(
    uri: str, media_id: str, result: ScoredMedium | Failure, origin: ScoreOrigin
) -> ScoredMedium:
    """Return a worker's answer, or the row that says why it gave none.

    Args:
        uri: The file.
        media_id: SHA-256 of its bytes.
        result: The answer, or what broke the worker.
        origin: What all scores of the run have in common.
    """
    if not isinstance(result, Failure):
        return result
    row = ManifestRow(
        uri=uri,
        corpus="",
        media_id=media_id,
        status=result.status,
        error_type=result.error_type,
        message=result.message,
    )
    return ScoredMedium(refused_score(row, origin))


def score_files(
    rows: Sequence[ManifestRow],
    *,
    setup: ScorerSetup,
    limits: WorkerLimits,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Score]:
    """Score a few files and leave nothing on disk but what the set-up's cache keeps.

    Args:
        rows: As listed.
        setup: Which detector, and how.
        limits: What one file may cost.
        on_done: Called with the number of files done, after each.

    Returns:
        The score of each file, in their order.
    """
    media = score_media(rows, setup=setup, limits=limits, on_done=on_done)
    return [medium.score for medium in media]


def score_media(
    rows: Sequence[ManifestRow],
    *,
    setup: ScorerSetup,
    limits: WorkerLimits,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[ScoredMedium]:
    """Score a few files as `score_files` does, and return all rows of each."""
    origin = score_origin(setup, bundle=load_bundle(setup.detector.path))
    usable = [row for row in rows if row.status is Status.OK]
    workers = min(len(usable), len(os.sched_getaffinity(0)))
    if not usable:
        return [ScoredMedium(refused_score(row, origin)) for row in rows]
    with (
        _with_cache(setup) as cached,
        MediaWorkers(scorer_setup(cached, limits=limits, num_workers=workers)) as pool,
    ):
        probed = iter(probe_rows(usable, workers=pool, limits=setup.limits))
        known = [next(probed) if row.status is Status.OK else row for row in rows]
        return score_probed(known, setup=setup, workers=pool, on_done=on_done)


def score_probed(
    rows: Sequence[ManifestRow],
    *,
    setup: ScorerSetup,
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[ScoredMedium]:
    """Score files that were probed, in workers that are running.

    Args:
        rows: As probed; those that are not `ok` keep their status.
        setup: Which detector, and how.
        workers: Set up by `scorer_setup` for it.
        on_done: Called with the number of files done, after each.

    Returns:
        The rows of each file, in their order.
    """
    origin = score_origin(setup, bundle=load_bundle(setup.detector.path))
    requests = [
        ExtractRequest(row.uri, str(row.media_id)) for row in rows if row.status is Status.OK
    ]
    results = iter(workers.map(score_medium, requests))
    media = []
    for row in rows:
        if row.status is Status.OK:
            medium = score_of_result(row.uri, str(row.media_id), next(results), origin)
        else:
            medium = ScoredMedium(refused_score(row, origin))
        media.append(medium)
        on_done(len(media))
    return media


@contextmanager
def _with_cache(setup: ScorerSetup) -> Iterator[ScorerSetup]:
    """Yield the set-up with a cache: without one each worker would convert the network again."""
    if setup.cache is not None:
        yield setup
        return
    with tempfile.TemporaryDirectory(prefix="deepfake-engines-") as folder:
        yield replace(setup, cache=Path(folder))
