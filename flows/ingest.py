"""A corpus to a snapshot: scan, probe, extract in batches, split, index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import pandas as pd
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event
from prefect.runtime import flow_run
from pydantic import Field

from deepfake.compute.workers import close_workers
from deepfake.config import (
    CropConfig,
    DecoderName,
    ExtractConfig,
    FaceConfig,
    SplitConfig,
)
from deepfake.corpora.ingest import ExtractJob, plan_extraction, read_previous_rows
from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.errors import DataError
from deepfake.extract.extractor import ExtractorSetup
from deepfake.registry import masked
from deepfake.storage import DataRoot, location_of, read_json, to_uri
from deepfake.storage.event_log import event_log, log_event, log_run
from deepfake.types import EXPECTED_STATUSES, Status
from flows.parameters import (
    BatchFiles,
    CorpusName,
    LayoutName,
    NumWorkers,
    Positive,
    PositiveNumber,
    SamplingName,
    TaskRunnerName,
    create_media_limits,
    create_sampling,
    create_worker_limits,
)
from flows.probe import probe_files
from flows.runners import create_runner, run_batches
from tasks import ingest as steps
from tasks.progress import tracked
from tasks.settings import packed, unpacked, unseen

__all__ = ["GROWN", "ingest"]

GROWN = "deepfake.corpus.grown"
"""The event that a corpus has media which it did not have; its resource is
`deepfake.corpus.<name>`."""

_USED = (str(Status.OK), str(Status.NO_FACE))


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
    timeout_seconds: PositiveNumber = 1800.0,
    cpu_seconds: PositiveNumber = 300.0,
    memory_mb: Positive = 4096,
    max_pixels: Positive = 100_000_000,
    max_frames: Positive = 5_000_000,
    max_mb: Positive = 20_480,
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
        timeout_seconds: A file may take by the clock.
        cpu_seconds: A file may take of CPU time.
        memory_mb: A worker may take, MiB.
        max_pixels: A picture or a frame may have.
        max_frames: A video may have.
        max_mb: A file may have, MiB.
        task_runner: Where batches run.
        dask_address: A running Dask scheduler.

    Returns:
        The summary: snapshot, counts by status, what was reused, what tells fake from real.
    """
    config = ExtractConfig(
        sampling=create_sampling(sampling, frames=frames, fps=fps),
        faces=FaceConfig(min_face_fraction=min_face),
        crop=CropConfig(size=face_size, margin=margin, codec=codec),
        limits=create_media_limits(max_pixels=max_pixels, max_frames=max_frames, max_mb=max_mb),
    )
    limits = create_worker_limits(
        timeout_seconds=timeout_seconds, cpu_seconds=cpu_seconds, memory_mb=memory_mb
    )
    root = DataRoot(location_of(data_root))
    # The machines of a cluster need not have this one's folders.
    cache = None if dask_address else root.engine_cache.resolve()
    job = ExtractJob(
        extractor=ExtractorSetup(config, decoder, device, cache),
        worker_limits=limits,
        num_workers=num_workers,
    )
    with (
        event_log(root.log(f"ingest-{corpus}"), run_id=str(flow_run.id), mask=masked),
        log_run(input=to_uri(input_path), corpus=corpus, layout=layout) as ending,
        _workers_closed(),
    ):
        scanned = steps.scan(input_path, corpus=corpus, layout=layout)
        rows, num_probed = probe_files(
            scanned,
            before=read_previous_rows(root, corpus, limits=config.limits),
            job=job,
            runner=create_runner(task_runner, dask_address=dask_address),
        )
        rows, notes = steps.settle(
            data_root,
            corpus=corpus,
            rows=unseen(rows),
            split=SplitConfig(strategy=split, seed=seed),
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
                        "media": packed(
                            [{"media_id": m, "uri": plan.uris[m]} for m in batch.media_ids]
                        ),
                        "job": job,
                    }
                    for batch in plan.unfinished
                ],
                runner=create_runner(task_runner, dask_address=dask_address),
                on_result=_tell_part,
                count=lambda call: len(unpacked(call["media"])),
            )
        had = _media_of(_latest(root, corpus))
        snapshot, is_new = steps.index(
            data_root,
            corpus=corpus,
            rows=unseen(rows),
            plan=unseen(plan),
            config=config,
            notes=notes,
        )
        num_added = len(_media_of(snapshot) - had)
        ending.update(_account(snapshot, num_probed=num_probed))
    summary = {
        **_summary(snapshot, notes),
        "is_new": is_new,
        "num_probed": num_probed,
        "num_extracted": todo,
        "num_added": num_added,
        "shards_reused": len(plan.finished),
        "shards_made": len(plan.unfinished),
    }
    _publish(summary)
    return summary


@contextmanager
def _workers_closed() -> Iterator[None]:
    try:
        yield
    finally:
        close_workers()


def _tell_part(part: dict[str, Any]) -> None:
    log_event(
        "part committed",
        part=part["key"],
        media=sum(part["statuses"].values()),
        seconds=round(part["seconds"], 3),
        statuses=part["statuses"],
    )


def _account(snapshot: Snapshot, *, num_probed: int) -> dict[str, Any]:
    """Tell of each file that ended as nobody wants, and return the run's numbers."""
    outcomes = snapshot.outcomes()
    told = ["media_id", "uri", "status", "error_type", "message"]
    for row in _problems(outcomes)[told].to_dict("records"):
        log_event("file failed", **{str(name): value for name, value in row.items()})
    return {
        "snapshot": snapshot.digest,
        "num_files": len(outcomes),
        "num_probed": num_probed,
        "statuses": dict(Counter(outcomes["status"])),
    }


def _problems(outcomes: pd.DataFrame) -> pd.DataFrame:
    return outcomes[~outcomes["status"].isin([str(status) for status in EXPECTED_STATUSES])]


def _summary(snapshot: Snapshot, notes: dict[str, Any]) -> dict[str, Any]:
    outcomes = snapshot.outcomes()
    index = snapshot.index()
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
        "problems": _problems(outcomes)[["uri", "status", "message"]].head(20).to_dict("records"),
        "shortcuts": read_json(snapshot.folder / "shortcuts.json"),
    }


def _media_of(snapshot: Snapshot | None) -> set[str]:
    """Return the contents that crops were looked for in; none of no snapshot."""
    if snapshot is None:
        return set()
    outcomes = snapshot.outcomes()
    return set(outcomes.loc[outcomes["status"].isin(_USED), "media_id"].dropna())


def _latest(root: DataRoot, corpus: str) -> Snapshot | None:
    try:
        return open_snapshot(root, corpus)
    except DataError:
        return None


def _publish(summary: dict[str, Any]) -> None:
    """Leave an artifact for people, and an event for whoever retrains, if there is more now."""
    name = str(summary["corpus"])
    key = "".join(c if c.isalnum() else "-" for c in name.lower())
    create_table_artifact(
        key=f"ingest-{key}",
        table=[{"status": k, "files": v} for k, v in sorted(summary["statuses"].items())],
        description=f"{name}: {summary['num_files']} files, {summary['num_crops']} crops",
    )
    if summary["num_added"]:
        told = ("corpus", "snapshot", "num_added", "num_files", "num_crops", "labels", "splits")
        emit_event(
            event=GROWN,
            resource={"prefect.resource.id": f"deepfake.corpus.{name}"},
            payload={k: summary[k] for k in told},
        )
    get_run_logger().info("%s: %s", name, summary["statuses"])
