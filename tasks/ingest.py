"""The steps of ingesting a corpus."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.compute.workers import shared_workers
from deepfake.config import AnyExtractConfig, Modality, SplitConfig
from deepfake.corpora.batches import Batch
from deepfake.corpora.ingest import (
    AnyExtractJob,
    IngestPlan,
    build_snapshot,
    extract_batch,
    finish_manifest,
)
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.shards import FACES, SYNC, VOICE, Snapshot
from deepfake.storage import DataRoot, location_of
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by, unpack_records

__all__ = ["extract", "scan", "write_manifest", "write_snapshot"]


_KINDS = {"extract": FACES, "extract_speech": VOICE, "extract_sync": SYNC}
"""Of evidence, by kind of job."""


@task(name="scan", task_run_name="scan-{corpus}", cache_policy=NO_CACHE, **RETRIES)
def scan(input_path: str, *, corpus: str, layout: str, modality: Modality) -> list[ManifestRow]:
    """List a corpus. Never cached: what lies in a folder is known only by looking."""
    rows = scan_corpus(location_of(input_path), corpus=corpus, layout=layout, modality=modality)
    get_run_logger().info("%s: %d files", corpus, len(rows))
    return rows


@task(
    name="write-manifest",
    task_run_name="write-manifest-{corpus}",
    cache_policy=NO_CACHE,
    **RETRIES,
)
def write_manifest(
    data_root: str, *, corpus: str, rows: list[ManifestRow], split: SplitConfig
) -> tuple[list[ManifestRow], dict[str, Any]]:
    """Check the rows against each other, assign splits, write the manifest."""
    return finish_manifest(DataRoot(location_of(data_root)), corpus, rows, split=split)


@task(
    name="extract",
    task_run_name="extract-{key}",
    # The key is the digest of settings, code version, detector weights and media.
    cache_policy=cached_by(lambda parameters: f"extract-{parameters['key']}"),
    **RESULTS,
    **RETRIES,
)
def extract(corpus_dir: str, *, key: str, media: str, job: AnyExtractJob) -> dict[str, Any]:
    """Extract a batch, packed records of `media_id` and `uri`, into a shard."""
    uris = {record["media_id"]: record["uri"] for record in unpack_records(media)}
    result = extract_batch(
        location_of(corpus_dir),
        Batch(key, tuple(uris)),
        uris=uris,
        workers=shared_workers(job.on_this_machine().worker_setup()),
        kind=_KINDS[job.kind],
        on_done=lambda _: advance(step="extract"),
    )
    get_run_logger().info("shard %s: %d records, %s", key, result.num_crops, result.statuses)
    return asdict(result)


@task(
    name="write-snapshot", task_run_name="write-snapshot-{corpus}", cache_policy=NO_CACHE, **RETRIES
)
def write_snapshot(
    data_root: str,
    *,
    corpus: str,
    rows: list[ManifestRow],
    plan: IngestPlan,
    config: AnyExtractConfig,
    notes: dict[str, Any],
) -> tuple[Snapshot, bool]:
    """Write the snapshot over the finished shards."""
    return build_snapshot(
        DataRoot(location_of(data_root)), corpus, rows, plan, config=config, notes=notes
    )
