"""The steps of scoring a folder."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import task

from deepfake.compute.workers import shared_workers
from deepfake.scoring import ScoreRequest, score_batch
from deepfake.storage import location_of
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by, unpacked
from tasks.workers import create_scorer_setup, create_worker_setup

__all__ = ["score"]


@task(
    name="score",
    task_run_name="score-{key}",
    # The key is the digest of detector, settings, code version and media.
    cache_policy=cached_by(lambda parameters: f"score-{parameters['parts']}-{parameters['key']}"),
    **RESULTS,
    **RETRIES,
)
def score(
    parts: str, *, key: str, number: int, requests: str, setup: dict[str, Any]
) -> dict[str, Any]:
    """Score a batch of packed `ScoreRequest`s into a part, and say of what it holds nothing."""
    done = score_batch(
        location_of(parts),
        [ScoreRequest(**request) for request in unpacked(requests)],
        key=key,
        number=number,
        setup=create_scorer_setup(setup),
        workers=shared_workers(create_worker_setup(setup)),
        on_done=lambda _: advance(step="score"),
    )
    return {
        "key": key,
        "number": number,
        "media": [list(pair) for pair in done.part.media],
        "moved": [asdict(moved) for moved in done.moved],
        "account": asdict(done.account),
    }
