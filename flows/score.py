"""A folder of media to scores."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from deepfake.compute.devices import resolve_device
from deepfake.compute.workers import close_workers
from deepfake.config import MediaLimits, Precision, SamplingConfig, WorkerLimits
from deepfake.corpora.layouts import MediaFilter, describe_folder, stream_media
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import check_precision
from deepfake.errors import ConfigError, CorpusError
from deepfake.registry import masked
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import (
    DriftWatch,
    ScoresFolder,
    describe_setup,
    find_parts,
    note_output,
    open_state,
    read_listing,
    recorded,
    scores_version,
    write_listing,
    write_scores,
    write_setup,
)
from deepfake.scoring.drift import DEFAULT_LIMIT
from deepfake.storage import DataRoot, Location, location_of, to_uri, write_json
from deepfake.storage.journal import journal
from flows.drift_event import publish_drift
from flows.evidence import keep_evidence
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
from flows.runners import InFlight, create_runner
from flows.sampling_option import FramesASecond, choose_sampling
from flows.scoring_job import ScoringJob
from tasks.progress import tracked
from tasks.workers import create_scorer_setup, create_worker_setup, share_detector

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
    chosen, how = resolve_detector(weights, data_root=location_of(data_root))
    bundle = load_bundle(chosen.path)
    media_limits = create_media_limits(max_pixels=max_pixels, max_frames=max_frames, max_mb=max_mb)
    setup = describe_scorer(
        chosen,
        sampling=choose_sampling(bundle.spec.sampling, strategy=sampling, frames=frames, fps=fps),
        device=device,
        precision=precision,
        prior=prior,
        # The machines of a cluster need not have this one's folders.
        cache=None if dask_address else DataRoot(location_of(data_root)).engine_cache,
        limits=create_worker_limits(
            timeout_seconds=timeout_seconds, cpu_seconds=cpu_seconds, memory_mb=memory_mb
        ),
        media_limits=media_limits,
        num_workers=num_workers,
    )
    wanted = MediaFilter(tuple(include or ()), tuple(exclude or ()), since)
    version = scores_version(create_scorer_setup(setup), bundle=bundle)
    began = time.monotonic()
    run_id = str(flow_run.id)
    made_with = describe_setup(
        create_scorer_setup(setup), bundle=bundle, limits=create_worker_setup(setup).limits
    )
    with (
        to.held() as hold,
        journal(to.log, run_id=run_id, mask=masked),
        open_state(to.state, folder=to_uri(place), version=version) as state,
        recorded(to, state, run_id=run_id, setup=made_with) as record,
        create_runner(task_runner, dask_address=dask_address) as runner,
    ):
        note_output(DataRoot(Path(data_root)), to.path)
        folder_before = to.scored_folder
        write_setup(to.version(version), made_with)
        read_listing(to.path, state)
        state.reconcile(find_parts(to.parts(version)))
        state.apply_limits(media_limits)
        job = ScoringJob(
            state,
            InFlight(runner),
            record,
            hold=hold,
            parts=to.parts(version),
            is_elsewhere=dask_address is not None,
            setup=share_detector(setup, to.version(version)) if dask_address else setup,
            hashing=hashing,
            limit=limit,
            batch_files=batch_files,
            is_retrying_failed=retry_failed,
            drift=(watch := DriftWatch(bundle)),
        )
        try:
            with tracked("score", total=0):
                job.run(stream_media(place, wanted=wanted, skipped=to.path))
        finally:
            close_workers()
        if state.num_files == 0 and not wait_for_files:
            raise CorpusError(f"no file to look at; {describe_folder(place)}", path=folder)
        waiting, changes = state.num_waiting, state.num_changes
        hold.check()
        counts = write_scores(to, state, setup=create_scorer_setup(setup), bundle=bundle)
        write_listing(to.path, state)
        drift = None
        if record.counters.num_scored:
            drift = watch.report(
                state,
                parts=to.parts(version),
                scratch=to.scratch(version),
                prior=prior,
                limit=drift_limit,
            )
            write_json(to.drift, drift.as_record())
            record.compared(drift)
        explained, unexplained = keep_evidence(
            to.version(version),
            bundle=bundle,
            num_files=evidence,
            is_retrying_failed=retry_failed,
            setup=job.setup,
            batches=InFlight(runner),
        )
        hold.check()
        record.wrote(counts, num_waiting=waiting)
    told = record.counters
    seconds = time.monotonic() - began
    summary = {
        "num_files": counts.num_files,
        "statuses": dict(counts.statuses),
        "verdicts": dict(counts.verdicts),
        "num_listed": told.num_listed,
        "num_probed": told.num_probed,
        "num_scored": told.num_scored,
        "num_vanished": told.num_vanished,
        "num_waiting": waiting,
        "num_explained": explained,
        "evidence_error": unexplained,
        "num_changes": changes,
        "seconds": seconds,
        "files_per_second": told.num_listed / seconds,
        "counters": told.numbers(),
        "run_id": run_id,
        "output": str(to.path),
        "folder_before": None if folder_before == to_uri(place) else folder_before,
        "version": version,
        "detector": setup["detector"],
        "detector_chosen_by": how,
        "notes": bundle.spec.reading_notes,
        "drift": None if drift is None else drift.as_record(),
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


def describe_scorer(
    detector: DetectorIdentity,
    *,
    sampling: SamplingConfig | None,
    device: str,
    precision: Precision,
    prior: float | None,
    cache: Path | None,
    limits: WorkerLimits,
    media_limits: MediaLimits,
    num_workers: int,
) -> dict[str, Any]:
    """Return what every task is told, as JSON."""
    # All machines of a cluster compute alike: what `auto` means is settled here.
    chosen = resolve_device() if device == "auto" else device
    check_precision(precision, device=chosen)
    return {
        "detector": {
            "path": to_uri(detector.path),
            "name": detector.name,
            "version": detector.version,
        },
        "device": chosen,
        "precision": precision,
        "sampling": None if sampling is None else sampling.model_dump(mode="json"),
        "prior": prior,
        "cache": None if cache is None else str(cache.resolve()),
        "limits": limits.model_dump(mode="json"),
        "media_limits": media_limits.model_dump(mode="json"),
        "num_workers": num_workers,
    }


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
