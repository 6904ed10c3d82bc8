"""A folder of media to scores."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from deepfake.batches import cut_batches
from deepfake.bundles import load_bundle
from deepfake.config import MediaLimits, Precision, SamplingConfig, WorkerLimits, digest_of
from deepfake.corpora import MediaFilter, describe_folder, stream_media
from deepfake.detectors import resolve_detector
from deepfake.drift import DEFAULT_LIMIT
from deepfake.errors import ConfigError, CorpusError
from deepfake.inference import check_precision, resolve_device
from deepfake.journal import journal
from deepfake.manifest import ManifestRow, record_of_row, row_of_record
from deepfake.scoring import (
    BatchAccount,
    DetectorIdentity,
    DriftWatch,
    Hold,
    Moved,
    Part,
    RunRecord,
    ScoresFolder,
    ScoringState,
    describe_setup,
    find_parts,
    note_output,
    open_state,
    part_path,
    read_listing,
    recorded,
    scores_version,
    write_listing,
    write_scores,
    write_setup,
)
from deepfake.storage import DataRoot, Location, location_of, to_uri, write_json
from deepfake.tracking import masked
from deepfake.workers import close_workers
from flows.drifting import publish_drift
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
from flows.sampling import FramesASecond, choose_sampling
from tasks import score as steps
from tasks.probe import probe
from tasks.progress import expect, tracked
from tasks.settings import packed, unpacked
from tasks.workers import create_scorer_setup, create_worker_setup, share_detector

__all__ = ["describe_scorer", "score"]

_FIRST_FILES = 32
_CHUNK_FILES = 500
_CHUNK_BYTES = 4 * 2**30
_ARRIVAL_SECONDS = 60.0
"""Longer than a network's file system remembers that there was no such file."""
_LEAST_COST = 64
"""Of a batch that is handed out although it is not full, in pictures; one video."""


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
    note_output(DataRoot(Path(data_root)), to.path)
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
        write_setup(to.version(version), made_with)
        read_listing(to.path, state)
        state.reconcile(find_parts(to.parts(version)))
        state.apply_limits(media_limits)
        job = _Job(
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


class _Job:
    """Files on their way: listed, probed, batched, scored, noted.

    Args:
        state: What is known.
        batches: What is out.
        record: Of the run, for people and programs that watch it.
        hold: On the output.
        parts: Where parts go.
        is_elsewhere: Whether other machines put them there.
        setup: Of the media workers.
        hashing: How contents are told apart.
        limit: How many media are scored, at most.
        batch_files: Files of a batch, at most.
        is_retrying_failed: Whether what may pass is tried again.
        drift: Sees what is probed.
    """

    def __init__(
        self,
        state: ScoringState,
        batches: InFlight,
        record: RunRecord,
        *,
        hold: Hold,
        parts: Location,
        is_elsewhere: bool,
        setup: dict[str, Any],
        hashing: Hashing,
        limit: int | None,
        batch_files: int | None,
        is_retrying_failed: bool,
        drift: DriftWatch,
    ) -> None:
        self._state = state
        self._drift = drift
        self._batches = batches
        self._record = record
        self._hold = hold
        self._parts = parts
        self._is_shared = not is_elsewhere
        self.setup = setup
        self._hashing = hashing
        self._left = limit
        self._batch_files = batch_files
        self._is_retrying_failed = is_retrying_failed
        self._waiting: list[ManifestRow] = []

    def run(self, rows: Iterable[ManifestRow]) -> None:
        """Take files as they are listed, until each has its score."""
        for chunk in _chunked(rows):
            self._observe(chunk)
            self._batches.take_ended()
            if self._left == 0:
                break
        self._record.listing_ended()
        self._batches.wait()
        while self._waiting:
            self._hand_out(least=0)
            self._batches.wait()
        if self._left != 0:
            self._record.vanished(self._state.mark_vanished())

    def _observe(self, rows: list[ManifestRow]) -> None:
        self._record.listed(len(rows))
        known, unknown = self._state.observe(rows)
        self._queue(known)
        if unknown:
            call = {
                "rows": packed([record_of_row(row) for row in unknown]),
                "limits": self.setup["media_limits"],
                "hashing": self._hashing,
                "setup": self.setup,
            }
            began = time.time_ns()
            self._batches.submit(
                probe, call, on_result=lambda found: self._probed(found, began_ns=began)
            )

    def _probed(self, records: str, *, began_ns: int) -> None:
        rows = [row_of_record(record) for record in unpacked(records)]
        self._record.probed(rows, hashing=self._hashing)
        self._drift.probed(rows)
        self._state.record(rows, began_ns=began_ns)
        self._queue(rows)

    def _queue(self, rows: Sequence[ManifestRow]) -> None:
        claimed = self._state.claim(
            rows, limit=self._left, is_retrying_failed=self._is_retrying_failed
        )
        if self._left is not None:
            self._left -= len(claimed)
        expect(len(claimed))
        self._record.claimed(len(claimed))
        self._waiting += claimed
        # Workers that have nothing else to do need not wait until a batch is full.
        self._hand_out(least=_LEAST_COST if self._batches.has_room(steps.score) else None)

    def _hand_out(self, *, least: int | None) -> None:
        batches, self._waiting = cut_batches(
            self._waiting, least=least, max_files=self._batch_files
        )
        for batch in batches:
            number = self._state.run
            requests = [
                {
                    "uri": row.uri,
                    "media_id": row.media_id,
                    "size_bytes": row.size_bytes,
                    "mtime_ns": row.mtime_ns,
                }
                for row in batch
            ]
            key = digest_of(self._state.version, str(number), *(str(r.media_id) for r in batch))
            call = {
                "parts": to_uri(self._parts),
                "key": key,
                "number": number,
                "requests": packed(requests),
                "setup": self.setup,
            }
            self._batches.submit(steps.score, call, on_result=self._scored, count=len(requests))

    def _scored(self, done: dict[str, Any]) -> None:
        self._hold.check()
        if not self._is_shared:
            _check_arrival(part_path(self._parts, done["key"], "scores"))
            self._is_shared = True
        media = tuple((media_id, status) for media_id, status in done["media"])
        part = Part(done["key"], done["number"], media)
        self._record.committed(part, BatchAccount(**done["account"]))
        self._state.commit(part)
        self._queue(self._state.release([Moved(**moved) for moved in done["moved"]]))


def _check_arrival(part: Location) -> None:
    """Find out at the first part whether what other machines write is seen here."""
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while not part.is_file():
        if time.monotonic() > deadline:
            raise ConfigError(
                "what a Dask worker has written does not arrive here",
                path=part,
                hint="Name an output that all machines share: a shared folder, or a store's URI.",
            )
        time.sleep(1.0)


def _chunked(rows: Iterable[ManifestRow]) -> Iterator[list[ManifestRow]]:
    """Yield files in handfuls; the first is small, so that the first scores come soon."""
    chunk: list[ManifestRow] = []
    size, most = 0, _FIRST_FILES
    for row in rows:
        chunk.append(row)
        size += row.size_bytes or 0
        if len(chunk) >= most or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size, most = [], 0, _CHUNK_FILES
    if chunk:
        yield chunk


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
