"""Make the evidence that is kept beside the scores of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from prefect import get_run_logger

from deepfake.compute.workers import close_workers
from deepfake.config import digest_of
from deepfake.detectors.bundles import Bundle
from deepfake.evidence import EvidenceRequest, MadeEvidence, make_evidence_batches
from deepfake.evidence.selection import find_missing_evidence
from deepfake.scoring import ScoreJob
from deepfake.storage import Location, to_uri
from flows.runners import InFlight
from tasks.evidence import explain
from tasks.progress import show_step
from tasks.settings import pack_records, unpack_records

__all__ = ["make_evidence"]


def make_evidence(
    version_dir: Location,
    *,
    bundle: Bundle,
    num_files: int,
    is_retrying_failed: bool,
    job: ScoreJob,
    batches: InFlight,
) -> MadeEvidence:
    """Make what evidence is lacking beside the scores, and remove what is of other scores.

    The scores are there, whatever becomes of it.

    Args:
        version_dir: The folder of the scores of one version, whose tables are written.
        bundle: The detector.
        num_files: For how many files it is wanted.
        is_retrying_failed: Whether what could not be made whole is made again.
        job: What the media workers were started with that scored.
        batches: Where batches run.
    """

    def run_batches(requests: list[list[EvidenceRequest]]) -> None:
        with show_step("explain", total=sum(len(batch) for batch in requests)):
            for _ in batches.run(
                explain,
                _calls(requests, version_dir, job),
                count=lambda call: len(unpack_records(call["requests"])),
            ):
                pass

    try:
        made = make_evidence_batches(
            version_dir,
            find_requests=lambda: find_missing_evidence(
                version_dir,
                bundle=bundle,
                num_files=num_files,
                is_retrying_failed=is_retrying_failed,
            ),
            run_batches=run_batches,
        )
    finally:
        close_workers()
    if made.error is not None:
        get_run_logger().warning("the evidence could not be made: %s", made.error)
    return made


def _calls(
    batches: list[list[EvidenceRequest]], version_dir: Location, job: ScoreJob
) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield {
            "version": to_uri(version_dir),
            "key": digest_of(*(request.made_for + request.media_id for request in batch)),
            "requests": pack_records([asdict(request) for request in batch]),
            "job": job,
        }
