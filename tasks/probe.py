"""Hashing and probing, a batch of files at a time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from prefect import task

from deepfake.config import MediaLimits, digest_of
from deepfake.extract import STEP_VERSION
from deepfake.manifest import row_of_record
from deepfake.probing import probe_rows
from deepfake.workers import shared_workers
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by
from tasks.workers import create_worker_setup

__all__ = ["probe"]


def _key(parameters: dict[str, Any]) -> str:
    # Everything that comes back: what the rows say already, and what the bytes do.
    rows = [str(sorted(row.items())) for row in parameters["rows"]]
    how = (str(parameters["limits"]), parameters.get("hashing"))
    return f"probe-{STEP_VERSION}-{digest_of(*rows, *how)}"


@task(name="probe", cache_policy=cached_by(_key), **RESULTS, **RETRIES)
def probe(
    rows: list[dict[str, Any]],
    *,
    limits: dict[str, Any],
    setup: dict[str, Any],
    hashing: Literal["full", "sampled"] = "full",
) -> list[dict[str, Any]]:
    """Hash and probe a batch of files."""
    described = probe_rows(
        [row_of_record(row) for row in rows],
        workers=shared_workers(create_worker_setup(setup)),
        limits=MediaLimits.model_validate(limits),
        hashing=hashing,
        on_done=lambda _: advance(step="probe"),
    )
    return [asdict(row) for row in described]
