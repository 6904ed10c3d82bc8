"""The task that hashes and probes a batch of files."""

from __future__ import annotations

from typing import Any, Literal

from prefect import task

from deepfake.compute.workers import shared_workers
from deepfake.config import digest_of
from deepfake.corpora.ingest import AnyExtractJob
from deepfake.corpora.manifest import record_of_row, row_of_record
from deepfake.corpora.probe import probe_rows
from deepfake.extract.extracted_medium import STEP_VERSION
from deepfake.scoring import ScoreJob
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by, pack_records, unpack_records

__all__ = ["probe"]


def _key(parameters: dict[str, Any]) -> str:
    # Everything that comes back: what the rows say already, and what the bytes do.
    limits = parameters["job"].media_limits.model_dump_json()
    return f"probe-{STEP_VERSION}-{digest_of(parameters['rows'], limits, parameters['hashing'])}"


@task(name="probe", cache_policy=cached_by(_key), **RESULTS, **RETRIES)
def probe(
    rows: str, *, job: AnyExtractJob | ScoreJob, hashing: Literal["full", "sampled"] = "full"
) -> str:
    """Hash and probe a batch of files in the workers that extract or score them afterwards.

    Args:
        rows: Packed records of manifest rows.
        job: What these workers are started with.
        hashing: What tells contents apart.

    Returns:
        Packed records of manifest rows.
    """
    described = probe_rows(
        [row_of_record(row) for row in unpack_records(rows)],
        workers=shared_workers(job.on_this_machine().worker_setup()),
        limits=job.media_limits,
        hashing=hashing,
        on_done=lambda _: advance(step="probe"),
    )
    return pack_records([record_of_row(row) for row in described])
