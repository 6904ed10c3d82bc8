"""The flow `score`: options to a job for the library, and the summary to Prefect."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from deepfake.config import Precision
from deepfake.corpora.layouts import MediaFilter
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError, CorpusError
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import FolderOptions, ScoresFolder, create_score_job, score_folder
from deepfake.scoring.drift import DEFAULT_LIMIT
from deepfake.storage import DataRoot, Location, location_of, to_uri
from flows.drift_event import publish_drift
from flows.parameters import (
    BatchFiles,
    Fraction,
    Hashing,
    NumEvidence,
    NumWorkers,
    Positive,
    PositiveNumber,
    SamplingName,
    TaskRunnerName,
    create_media_limits,
    create_worker_limits,
)
from flows.prefect_batches import PrefectBatches
from flows.runners import create_runner
from flows.sampling_option import FramesASecond, choose_sampling

__all__ = ["score"]


@flow(name="score", flow_run_name="score-{folder}")
def score(
    folder: str,
    output: str,
    weights: str | None = None,
    data_root: str = "data",
    *,
    prior: Fraction | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision = "f32",
    sampling: SamplingName | None = None,
    frames: Positive | None = None,
    fps: FramesASecond | None = None,
    include: list[str] | None = None,
    exclude: list[str] | None = None,
    since: datetime | None = None,
    limit: Positive | None = None,
    evidence: NumEvidence = 200,
    hashing: Hashing = "full",
    wait_for_files: bool = False,
    retry_failed: bool = False,
    batch_files: BatchFiles = None,
    num_workers: NumWorkers = 0,
    timeout_seconds: PositiveNumber = 1800.0,
    cpu_seconds: PositiveNumber = 300.0,
    memory_mb: Positive = 4096,
    max_pixels: Positive = 100_000_000,
    max_frames: Positive = 5_000_000,
    max_mb: Positive = 20_480,
    drift_limit: PositiveNumber = DEFAULT_LIMIT,
    task_runner: TaskRunnerName = "threads",
    dask_address: str | None = None,
) -> dict[str, Any]:
    """Score every file of a folder.

    Args:
        folder: The media.
        output: Where `scores.parquet`, `scores.csv`, `tracks.parquet` and `frames.parquet` go.
        weights: A bundle's folder or `models:/NAME@ALIAS`; else the champion, else the packaged.
        data_root: The data root.
        prior: Share of fakes among the media; else the bundle's.
        device: Where the networks run.
        precision: What the detector computes in on the CPU.
        sampling: Which frames of a video are looked at; else as the detector was trained.
        frames: How many of a video, for uniform, keyframes and bursts; else the detector's.
        fps: How many a second, for fps; else the detector's.
        include: Patterns of files to be looked at, as in a `.gitignore`; else all.
        exclude: Patterns of files and folders to be left out.
        since: Only files that changed then or later.
        limit: Score no more media than this.
        evidence: For how many files the evidence is kept, the most telling ones; 0 for none.
        hashing: What tells contents apart: all bytes, or samples of large files.
        wait_for_files: A folder without files is no error.
        retry_failed: Score again what timed out, crashed or ran out of memory.
        batch_files: Files of a batch, else 8 videos or 512 pictures. Fewer: less is lost by a kill,
            and more is spent on batches. More: for a large cluster.
        num_workers: Media workers.
        timeout_seconds: A file may take by the clock.
        cpu_seconds: A file may take of CPU time.
        memory_mb: A worker may take, MiB.
        max_pixels: A picture or a frame may have.
        max_frames: A video may have.
        max_mb: A file may have, MiB.
        drift_limit: Population stability index over which media count as unlike those that the
            detector was made with.
        task_runner: Where batches run.
        dask_address: A running Dask scheduler.

    Returns:
        The summary: counts by status and verdict, the detector, drift, where the tables are.
    """
    place, to = location_of(folder), ScoresFolder(location_of(output))
    _check_places(place, to.path)
    root = DataRoot(location_of(data_root))
    detector, chosen_by = resolve_detector(weights, data_root=root.path)
    spec = load_bundle(detector.path).spec
    job = create_score_job(
        detector,
        device=device,
        precision=precision,
        sampling=choose_sampling(spec.sampling, strategy=sampling, frames=frames, fps=fps),
        prior=prior,
        # The machines of a cluster need not have this one's folders.
        cache=None if dask_address else root.engine_cache,
        media_limits=create_media_limits(
            max_pixels=max_pixels, max_frames=max_frames, max_mb=max_mb
        ),
        worker_limits=create_worker_limits(
            timeout_seconds=timeout_seconds, cpu_seconds=cpu_seconds, memory_mb=memory_mb
        ),
        num_workers=num_workers,
    )
    options = FolderOptions(
        wanted=MediaFilter(tuple(include or ()), tuple(exclude or ()), since),
        hashing=hashing,
        limit=limit,
        batch_files=batch_files,
        is_waiting_for_files=wait_for_files,
        is_retrying_failed=retry_failed,
        num_evidence=evidence,
        drift_limit=drift_limit,
        is_on_cluster=dask_address is not None,
    )
    done = score_folder(
        place,
        to,
        job=job,
        options=options,
        batches=PrefectBatches(create_runner(task_runner, dask_address=dask_address)),
        data_root=root,
        run_id=str(flow_run.id),
    )
    summary = {
        **done.as_record(),
        "run_id": str(flow_run.id),
        "output": str(to.path),
        "detector": {
            "path": to_uri(detector.path),
            "name": detector.name,
            "version": detector.version,
        },
        "detector_chosen_by": chosen_by,
        "notes": spec.reading_notes,
    }
    _publish(summary)
    publish_drift(summary)
    return summary


def _check_places(folder: Location, output: Location) -> None:
    # Of a store only its objects are there: an empty folder is none.
    if isinstance(folder, Path) and not folder.exists():
        raise CorpusError("no such folder", path=folder)
    if to_uri(folder) == to_uri(output):
        raise ConfigError("the scores cannot go among the media: name another folder", path=output)


def _publish(summary: dict[str, Any]) -> None:
    rows = [
        {"counted by": kind, "value": value, "files": files}
        for kind in ("statuses", "verdicts")
        for value, files in sorted(summary[kind].items())
    ]
    create_table_artifact(
        key="score", table=rows, description=f"{summary['num_files']} files in {summary['output']}"
    )
    get_run_logger().info("%s %s", summary["statuses"], summary["verdicts"])
