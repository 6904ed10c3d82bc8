"""The flow `ingest`: turn a corpus into a snapshot: scan, probe, extract, split, index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event
from prefect.runtime import flow_run

from deepfake.compute.workers import close_workers
from deepfake.config import AnyExtractConfig, SpeechExtractConfig, SplitConfig, SyncExtractConfig
from deepfake.config.options import IngestOptions, takes_options
from deepfake.corpora.ingest import (
    AnyExtractJob,
    ExtractJob,
    IngestPlan,
    SpeechExtractJob,
    SyncExtractJob,
    plan_extraction,
    read_previous_rows,
    reject_another_corpus,
)
from deepfake.corpora.ingest.dataset import resolve_dataset
from deepfake.corpora.ingest.summary import (
    ingest_summary,
    log_failed_files,
    media_used,
    newest_snapshot,
    run_numbers,
)
from deepfake.corpora.layouts.label_hint import label_hint
from deepfake.corpora.shards import Snapshot
from deepfake.extract.extractor import ExtractorSetup
from deepfake.extract.lips import MouthExtractorSetup
from deepfake.extract.options import extract_config
from deepfake.registry import mask_credentials
from deepfake.storage import DataRoot, Location, engine_cache, location_of, to_uri
from deepfake.storage.event_log import event_log, log_event, log_run
from flows.probe import probe_files
from flows.runners import create_runner, run_batches
from flows.server.cancel import cancel_when_stopped
from flows.server.events import GROWN, growth_resource
from tasks import ingest as steps
from tasks.progress import show_step
from tasks.settings import hide_from_prefect, pack_records, unpack_records

__all__ = ["ingest", "open_dataset"]


@flow(name="ingest", flow_run_name="ingest-{corpus}")
@cancel_when_stopped
@takes_options
def ingest(options: IngestOptions) -> dict[str, Any]:
    """Ingest a corpus into shards of face crops, of speech, or of mouths with sound.

    Returns:
        The summary: snapshot, counts by status, what was reused, what tells fake from real.
    """
    corpus, data_root = options.corpus, options.data_root
    root = DataRoot(location_of(data_root))
    if not options.replace:
        place = location_of(options.input_path)
        reject_another_corpus(root, corpus, place, layout=options.layout, modality=options.modality)
    config = extract_config(options)
    job = _extract_job(options, config)
    with (
        event_log(root.log(f"ingest-{corpus}"), run_id=str(flow_run.id), mask=mask_credentials),
        log_run(input=to_uri(options.input_path), corpus=corpus, layout=options.layout) as ending,
        _workers_closed(),
    ):
        scanned = steps.scan(
            options.input_path, corpus=corpus, layout=options.layout, modality=options.modality
        )
        rows, num_probed = probe_files(
            scanned,
            before=read_previous_rows(root, corpus, limits=config.limits),
            job=job,
            runner=create_runner(options.task_runner, dask_address=options.dask_address),
        )
        rows, notes = steps.write_manifest(
            data_root,
            corpus=corpus,
            rows=hide_from_prefect(rows),
            split=SplitConfig(strategy=options.split, seed=options.seed),
        )
        plan = plan_extraction(
            root,
            corpus,
            rows,
            config=config,
            max_files=options.batch_files,
            is_retrying_failed=options.retry_failed,
        )
        num_extracted = _extract_batches(
            plan, options, corpus_dir=root.corpus_shards(corpus), job=job
        )
        had = media_used(newest_snapshot(root, corpus))
        snapshot, is_new = steps.write_snapshot(
            data_root,
            corpus=corpus,
            rows=hide_from_prefect(rows),
            plan=hide_from_prefect(plan),
            config=config,
            notes=notes,
        )
        num_added = len(media_used(snapshot) - had)
        log_failed_files(snapshot)
        ending.update(run_numbers(snapshot, num_probed=num_probed))
    summary = {
        **ingest_summary(snapshot, notes),
        "label_hint": label_hint(rows),
        "is_new": is_new,
        "num_probed": num_probed,
        "num_extracted": num_extracted,
        "num_added": num_added,
        "shards_reused": len(plan.finished),
        "shards_made": len(plan.unfinished),
    }
    _publish(summary)
    return summary


def _extract_batches(
    plan: IngestPlan, options: IngestOptions, *, corpus_dir: Location, job: AnyExtractJob
) -> int:
    """Extract the batches that are not finished, and return how many media they hold."""
    calls = [
        {
            "corpus_dir": to_uri(corpus_dir),
            "key": batch.key,
            "media": pack_records([{"media_id": m, "uri": plan.uris[m]} for m in batch.media_ids]),
            "job": job,
        }
        for batch in plan.unfinished
    ]
    num_media = sum(len(batch.media_ids) for batch in plan.unfinished)
    with show_step("extract", total=num_media):
        run_batches(
            steps.extract,
            calls,
            runner=create_runner(options.task_runner, dask_address=options.dask_address),
            on_result=_log_shard,
            count=lambda call: len(unpack_records(call["media"])),
        )
    return num_media


def open_dataset(dataset: str, *, data_root: str) -> tuple[Snapshot, list[str]]:
    """Return the snapshot of an ingested corpus, or of a folder that is ingested now.

    Args:
        dataset: Name of a corpus, or a folder `{train,val,test}/{real,fake}` or `{real,fake}`.
        data_root: The data root.

    Raises:
        ConfigError: Neither a corpus nor a folder, or a folder without labels.
    """
    return resolve_dataset(
        dataset,
        data_root=data_root,
        ingest=lambda folder, corpus: ingest(str(folder), corpus, data_root=data_root),
    )


def _extract_job(options: IngestOptions, config: AnyExtractConfig) -> AnyExtractJob:
    limits, num_workers = options.worker_limits, options.num_workers
    if isinstance(config, SpeechExtractConfig):
        return SpeechExtractJob(config=config, worker_limits=limits, num_workers=num_workers)
    # The machines of a cluster need not have this one's folders.
    cache = None if options.dask_address else engine_cache().resolve()
    if isinstance(config, SyncExtractConfig):
        mouths = MouthExtractorSetup(config, options.device, cache)
        return SyncExtractJob(extractor=mouths, worker_limits=limits, num_workers=num_workers)
    extractor = ExtractorSetup(config, options.decoder, options.device, cache)
    return ExtractJob(extractor=extractor, worker_limits=limits, num_workers=num_workers)


@contextmanager
def _workers_closed() -> Iterator[None]:
    try:
        yield
    finally:
        close_workers()


def _log_shard(shard: dict[str, Any]) -> None:
    log_event(
        "part committed",
        part=shard["key"],
        media=sum(shard["statuses"].values()),
        seconds=round(shard["seconds"], 3),
        statuses=shard["statuses"],
    )


def _publish(summary: dict[str, Any]) -> None:
    """Create an artifact for people, and emit an event for `retrain` if media were added."""
    name = str(summary["corpus"])
    key = "".join(c if c.isalnum() else "-" for c in name.lower())
    create_table_artifact(
        key=f"ingest-{key}",
        table=[{"status": k, "files": v} for k, v in sorted(summary["statuses"].items())],
        description=f"{name}: {summary['num_files']} files, {summary['num_crops']} "
        f"{summary['records']}",
    )
    if summary["num_added"]:
        payload = ("corpus", "snapshot", "num_added", "num_files", "num_crops", "labels", "splits")
        emit_event(
            event=GROWN,
            resource={"prefect.resource.id": growth_resource(name)},
            payload={k: summary[k] for k in payload},
        )
    get_run_logger().info("%s: %s", name, summary["statuses"])
