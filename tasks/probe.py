"""Hashing and probing, a batch of files at a time."""

from __future__ import annotations

from typing import Any, Literal

from prefect import task

from deepfake.compute.workers import shared_workers
from deepfake.config import MediaLimits, digest_of
from deepfake.corpora.manifest import record_of_row, row_of_record
from deepfake.corpora.probe import probe_rows
from deepfake.extract.extractor import STEP_VERSION
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by, packed, unpacked
from tasks.workers import create_worker_setup

__all__ = ["probe"]


def _key(parameters: dict[str, Any]) -> str:
    # Everything that comes back: what the rows say already, and what the bytes do.
    how = (str(parameters["limits"]), parameters.get("hashing"))
    return f"probe-{STEP_VERSION}-{digest_of(parameters['rows'], *how)}"


@task(name="probe", cache_policy=cached_by(_key), **RESULTS, **RETRIES)
def probe(
    rows: str,
    *,
    limits: dict[str, Any],
    setup: dict[str, Any],
    hashing: Literal["full", "sampled"] = "full",
) -> str:
    """Hash and probe a batch of files; takes and gives packed records of manifest rows."""
    described = probe_rows(
        [row_of_record(row) for row in unpacked(rows)],
        workers=shared_workers(create_worker_setup(setup)),
        limits=MediaLimits.model_validate(limits),
        hashing=hashing,
        on_done=lambda _: advance(step="probe"),
    )
    return packed([record_of_row(row) for row in described])
