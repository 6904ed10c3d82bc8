"""A corpus to a snapshot: scan, probe, extract in batches, split, index."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event
from pydantic import Field

from deepfake.config import (
    CropConfig,
    DecoderName,
    ExtractConfig,
    FaceConfig,
    SplitConfig,
    WorkerLimits,
)
from deepfake.ingestion import describe_before, plan_extraction
from deepfake.shards import Snapshot
from deepfake.storage import DataRoot, location_of, read_json, to_uri
from deepfake.workers import close_workers
from flows.parameters import (
    BatchFiles,
    CorpusName,
    LayoutName,
    NumWorkers,
    Positive,
    SamplingName,
    TaskRunnerName,
    create_sampling,
)
from flows.probing import probe_files
from flows.runners import create_runner, run_batches
from tasks import ingest as steps
from tasks.progress import tracked

__all__ = ["ingest"]


@flow(name="ingest", flow_run_name="ingest-{corpus}")
def ingest(
    input_path: str,
    corpus: CorpusName,
    layout: LayoutName = "folder",
    data_root: str = "data",
    *,
    sampling: SamplingName = "uniform",
    frames: Positive | None = None,
    fps: Annotated[float, Field(gt=0)] | None = None,
    face_size: Annotated[int, Field(ge=32, le=1024)] = 256,
    margin: Annotated[float, Field(ge=1, le=3)] = 1.3,
    min_face: Annotated[float, Field(gt=0, le=1)] = 0.08,
    codec: Literal["jpeg", "png"] = "jpeg",
    decoder: DecoderName = "pyav",
    device: Literal["cpu", "cuda"] = "cpu",
    split: Literal["auto", "official", "grouped"] = "auto",
    seed: int = 0,
    retry_failed: bool = False,
    batch_files: BatchFiles = None,
    num_workers: NumWorkers = 0,
    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0,
    memory_mb: Positive = 4096,
    task_runner: TaskRunnerName = "threads",
    dask_address: str | None = None,
) -> dict[str, Any]:
    """Ingest a corpus into face-crop shards.

    Args:
        input_path: The corpus's folder, or its CSV file.
        corpus: The name under which it is kept.
        layout: How it is laid out.
        data_root: Where manifests and shards go.
        sampling: Which frames of a video are looked at.
        frames: Frames of a video, for `uniform`, `keyframes` and `bursts`; None means 32.
        fps: Frames a second, for `fps`; None means 1.
        face_size: Side of a stored crop, pixels.
        margin: Side of the square over the longer side of the face.
        min_face: The smallest face looked for, over the frame's shorter side.
        codec: What crops are stored as.
        decoder: What decodes videos.
        device: Where faces are looked for.
        split: The corpus's own split, ours, or the former where there is one.
        seed: Of our split.
        retry_failed: Work again on batches in which a file timed out or crashed.
        batch_files: Files of a batch.
        num_workers: Media workers.
        timeout_seconds: A file may take.
        memory_mb: A worker may take, MiB.
        task_runner: Where batches run.
        dask_address: A running Dask scheduler.

    Returns:
        The summary: snapshot, counts by status, what was reused, what tells fake from real.
    """
    config = ExtractConfig(
        sampling=create_sampling(sampling, frames=frames, fps=fps),
        faces=FaceConfig(min_face_fraction=min_face),
        crop=CropConfig(size=face_size, margin=margin, codec=codec),
    )
    root = DataRoot(location_of(data_root))
    limits = WorkerLimits(timeout_seconds=timeout_seconds, memory_bytes=memory_mb * 2**20)
    setup = {
        "config": config.model_dump(mode="json"),
        "decoder": decoder,
        "device": device,
        # The machines of a cluster need not have this one's folders.
        "cache": None if dask_address else str(root.engine_cache.resolve()),
        "limits": limits.model_dump(mode="json"),
        "num_workers": num_workers,
    }
    try:
        scanned = steps.scan(input_path, corpus=corpus, layout=layout)
        rows, num_probed = probe_files(
            scanned,
            before=describe_before(root, corpus),
            limits=config.limits,
            setup=setup,
            runner=create_runner(task_runner, dask_address=dask_address),
        )
        rows, notes = steps.settle(
            data_root, corpus=corpus, rows=rows, split=SplitConfig(strategy=split, seed=seed)
        )
        plan = plan_extraction(
            root,
            corpus,
            rows,
            config=config,
            max_files=batch_files,
            is_retrying_failed=retry_failed,
        )
        todo = sum(len(batch.media_ids) for batch in plan.unfinished)
        with tracked("extract", total=todo):
            run_batches(
                steps.extract,
                [
                    {
                        "corpus_dir": to_uri(root.corpus_shards(corpus)),
                        "key": batch.key,
                        "media_ids": list(batch.media_ids),
                        "uris": [plan.uris[media_id] for media_id in batch.media_ids],
                        "setup": setup,
                    }
                    for batch in plan.unfinished
                ],
                runner=create_runner(task_runner, dask_address=dask_address),
                count=lambda call: len(call["media_ids"]),
            )
        snapshot, is_new = steps.index(
            data_root, corpus=corpus, rows=rows, plan=plan, config=config, notes=notes
        )
    finally:
        close_workers()
    summary = {
        **_summary(snapshot, notes),
        "is_new": is_new,
        "num_probed": num_probed,
        "num_extracted": todo,
        "parts_reused": len(plan.finished),
        "parts_made": len(plan.unfinished),
    }
    _publish(summary, added=bool(todo))
    return summary


def _summary(snapshot: Snapshot, notes: dict[str, Any]) -> dict[str, Any]:
    outcomes = snapshot.outcomes()
    index = snapshot.index()
    problems = outcomes[~outcomes["status"].isin(["ok", "no_face", "missing"])]
    return {
        "corpus": snapshot.corpus,
        "snapshot": snapshot.digest,
        "folder": str(snapshot.folder),
        "num_files": len(outcomes),
        "num_crops": len(index),
        "statuses": dict(Counter(outcomes["status"])),
        "labels": dict(Counter(outcomes["label"].fillna("unlabelled"))),
        "splits": dict(Counter(outcomes["split"].dropna())),
        "split_notes": notes,
        "problems": problems[["uri", "status", "message"]].head(20).to_dict("records"),
        "shortcuts": read_json(snapshot.folder / "shortcuts.json"),
    }


def _publish(summary: dict[str, Any], *, added: bool) -> None:
    """Leave artifacts for people, and an event for whoever retrains."""
    name = summary["corpus"]
    key = "".join(c if c.isalnum() else "-" for c in str(name).lower())
    create_table_artifact(
        key=f"ingest-{key}",
        table=[{"status": k, "files": v} for k, v in sorted(summary["statuses"].items())],
        description=f"{name}: {summary['num_files']} files, {summary['num_crops']} crops",
    )
    if added:
        emit_event(
            event="deepfake.corpus.ingested",
            resource={"prefect.resource.id": f"deepfake.corpus.{key}"},
            payload={k: summary[k] for k in ("corpus", "snapshot", "num_files", "num_crops")},
        )
    get_run_logger().info("%s: %s", name, summary["statuses"])
