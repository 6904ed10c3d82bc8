"""A folder of media to scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from pydantic import Field

from deepfake.bundles import load_bundle
from deepfake.config import MediaLimits, Precision, SamplingConfig, WorkerLimits
from deepfake.detectors import resolve_detector
from deepfake.errors import DataError
from deepfake.inference import check_precision, resolve_device
from deepfake.manifest import ManifestRow, read_manifest, write_manifest
from deepfake.scoring import DetectorIdentity, plan_scoring
from deepfake.storage import DataRoot
from deepfake.workers import close_workers
from flows.parameters import Fraction, NumWorkers, Positive, SamplingName, TaskRunnerName
from flows.probing import probe_files
from flows.runners import create_runner, run_batches
from flows.sampling import FramesASecond, choose_sampling
from tasks import score as steps
from tasks.progress import tracked
from tasks.workers import create_scorer_setup

__all__ = ["describe_scorer", "score"]


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
    retry_failed: bool = False,
    num_workers: NumWorkers = 0,
    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0,
    memory_mb: Positive = 4096,
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
        retry_failed: Work again on batches in which a file timed out or crashed.
        num_workers: Media workers.
        timeout_seconds: A file may take.
        memory_mb: A worker may take, MiB.
        task_runner: Where batches run.
        dask_address: A running Dask scheduler.

    Returns:
        The summary: counts by status and verdict, the detector, where the tables are.
    """
    chosen, how = resolve_detector(weights, data_root=Path(data_root))
    setup = describe_scorer(
        chosen,
        sampling=choose_sampling(
            load_bundle(chosen.path).spec.sampling, strategy=sampling, frames=frames, fps=fps
        ),
        device=device,
        precision=precision,
        prior=prior,
        cache=DataRoot(Path(data_root)).engine_cache,
        limits=WorkerLimits(timeout_seconds=timeout_seconds, memory_bytes=memory_mb * 2**20),
        num_workers=num_workers,
    )
    listing = Path(output) / "manifest.parquet"
    try:
        listed = steps.list_media(folder, output=output)
        rows, _ = probe_files(
            listed,
            before=_rows_before(listing),
            limits=MediaLimits(),
            setup=setup,
            runner=create_runner(task_runner, dask_address=dask_address),
        )
        write_manifest(listing, rows)
        batches, finished, uris = plan_scoring(
            Path(output), rows, create_scorer_setup(setup), is_retrying_failed=retry_failed
        )
        todo = [batch for batch in batches if batch.key not in finished]
        with tracked("score", total=sum(len(batch.media_ids) for batch in todo)):
            run_batches(
                steps.score,
                [
                    {
                        "output": output,
                        "key": batch.key,
                        "media_ids": list(batch.media_ids),
                        "uris": [uris[media_id] for media_id in batch.media_ids],
                        "setup": setup,
                    }
                    for batch in todo
                ],
                runner=create_runner(task_runner, dask_address=dask_address),
            )
        counts = steps.compact(output, rows=rows, batches=batches, setup=setup)
    finally:
        close_workers()
    summary = {
        **counts,
        "output": str(Path(output)),
        "detector": setup["detector"],
        "detector_chosen_by": how,
        "notes": load_bundle(chosen.path).spec.reading_notes,
        "num_scored": sum(len(batch.media_ids) for batch in todo),
        "parts_reused": len(finished),
    }
    _publish(summary)
    return summary


def describe_scorer(
    detector: DetectorIdentity,
    *,
    sampling: SamplingConfig | None,
    device: str,
    precision: Precision,
    prior: float | None,
    cache: Path,
    limits: WorkerLimits,
    num_workers: int,
) -> dict[str, Any]:
    """Return what every task is told, as JSON."""
    # All machines of a cluster compute alike: what `auto` means is settled here.
    chosen = resolve_device() if device == "auto" else device
    check_precision(precision, device=chosen)
    return {
        "detector": {
            "path": str(detector.path),
            "name": detector.name,
            "version": detector.version,
        },
        "device": chosen,
        "precision": precision,
        "sampling": None if sampling is None else sampling.model_dump(mode="json"),
        "prior": prior,
        "cache": str(cache.resolve()),
        "limits": limits.model_dump(mode="json"),
        "num_workers": num_workers,
    }


def _rows_before(listing: Path) -> list[ManifestRow]:
    try:
        return read_manifest(listing) if listing.is_file() else []
    except DataError:
        return []


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
