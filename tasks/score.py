"""The task that scores a batch of a folder."""

from __future__ import annotations

from typing import Any

from prefect import task

from deepfake.compute.workers import shared_workers
from deepfake.scoring import ScoreBatch, ScoreJob, ScoreRequest, score_batch
from deepfake.storage import location_of
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by, unpack_records

__all__ = ["score"]


@task(
    name="score",
    task_run_name="score-{key}",
    # The key is the digest of detector, settings, code version and media.
    cache_policy=cached_by(lambda parameters: f"score-{parameters['parts']}-{parameters['key']}"),
    **RESULTS,
    **RETRIES,
)
def score(parts: str, *, key: str, number: int, requests: str, job: ScoreJob) -> dict[str, Any]:
    """Score a batch of packed `ScoreRequest`s into a part; return the record of a `ScoredBatch`."""
    media = tuple(ScoreRequest(**request) for request in unpack_records(requests))
    here = job.on_this_machine()
    done = score_batch(
        ScoreBatch(location_of(parts), key, number, media),
        setup=here.scorer,
        workers=shared_workers(here.worker_setup()),
        on_done=lambda _: advance(step="score"),
    )
    return done.as_record()
