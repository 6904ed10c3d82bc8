"""The task that makes evidence beside the scores."""

from __future__ import annotations

from prefect import task

from deepfake.compute.workers import shared_workers
from deepfake.evidence import EvidenceRequest, evidence_setup, explain_and_write
from deepfake.scoring import ScoreJob
from deepfake.storage import location_of
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by, unpack_records

__all__ = ["explain"]


@task(
    name="evidence",
    task_run_name="evidence-{key}",
    # The key is the digest of the scores and of what makes evidence for them.
    cache_policy=cached_by(
        lambda parameters: f"explain-{parameters['version']}-{parameters['key']}"
    ),
    **RESULTS,
    **RETRIES,
)
def explain(version: str, *, key: str, requests: str, job: ScoreJob) -> dict[str, int]:
    """Make the evidence for packed `EvidenceRequest`s and write it beside the scores."""
    asked = [
        EvidenceRequest(
            **{
                **request,
                "frames": tuple(request["frames"]),
                "windows": tuple(request["windows"]),
                "blocks": tuple(request["blocks"]),
            }
        )
        for request in unpack_records(requests)
    ]
    here = job.on_this_machine()
    own = here.worker_setup()
    workers = shared_workers(
        evidence_setup(
            here.scorer.detector.path,
            media_limits=here.scorer.limits,
            worker_limits=own.limits,
            num_workers=own.num_workers,
            voice=None if here.scorer.voice is None else here.scorer.voice.path,
            sync=None if here.scorer.sync is None else here.scorer.sync.path,
        )
    )
    whole = explain_and_write(location_of(version), asked, workers=workers)
    advance(len(asked), step="evidence")
    return {"num_media": len(asked), "num_whole": whole}
