"""Score a media folder, from the listing to the record of the run: read it from top to bottom.

List files -> probe those that changed -> gather batches -> score each into a part -> put the parts
together into tables -> write the listing -> compare with the detector's reference -> make evidence
-> record what the run did. Batches run wherever a `BatchRunner` says: in threads, on a cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from deepfake.compute.workers import close_workers
from deepfake.corpora.batches import cut_batches
from deepfake.corpora.layouts import MediaFilter, describe_folder, stream_media
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.errors import ConfigError, CorpusError
from deepfake.registry import mask_credentials
from deepfake.scoring.batch import ScoredBatch, create_score_batch
from deepfake.scoring.batch_runner import BatchRunner, ProbeBatch, ProbedBatch
from deepfake.scoring.drift import DEFAULT_LIMIT
from deepfake.scoring.drift.watch import DriftResult, DriftWatch
from deepfake.scoring.output.folder import FolderLock, ScoresFolder, scores_version, write_scores
from deepfake.scoring.output.known_outputs import remember_output
from deepfake.scoring.output.listing import read_listing, write_listing
from deepfake.scoring.output.tables import TableCounts
from deepfake.scoring.parts import find_parts, part_path
from deepfake.scoring.run.counters import RunCounters
from deepfake.scoring.run.record import RunRecord, record_run
from deepfake.scoring.score_job import ScoreJob, share_detector
from deepfake.scoring.setups import describe_setup, write_setup
from deepfake.scoring.state.state import ScoringState, open_state
from deepfake.storage import DataRoot, Location, to_uri, write_json
from deepfake.storage.event_log import event_log

__all__ = [
    "FolderOptions",
    "FolderSummary",
    "score_folder",
]

_FIRST_FILES = 32
_CHUNK_FILES = 500
_CHUNK_BYTES = 4 * 2**30
_ARRIVAL_SECONDS = 60.0
"""Longer than a network's file system remembers that there was no such file."""
_LEAST_COST = 64
"""Smallest cost of a batch that is submitted although it is not full, in pictures; one video."""


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How a folder is scored.

    Attributes:
        media_filter: Which of its files.
        hashing: What tells contents apart: all bytes, or samples of large files.
        limit: Score no more media than this; None for all.
        batch_files: Files of a batch, at most.
        is_waiting_for_files: Whether a folder without files is no error.
        is_retrying_failed: Whether what timed out, crashed or ran out of memory is scored again.
        num_evidence: For how many files evidence is made.
        drift_limit: Over which a feature counts as moved.
        is_on_cluster: Whether other machines write the parts.
    """

    media_filter: MediaFilter = field(default_factory=MediaFilter)
    hashing: Literal["full", "sampled"] = "full"
    limit: int | None = None
    batch_files: int | None = None
    is_waiting_for_files: bool = False
    is_retrying_failed: bool = False
    num_evidence: int = 0
    drift_limit: float = DEFAULT_LIMIT
    is_on_cluster: bool = False


@dataclass(frozen=True, slots=True)
class FolderSummary:
    """What a run did, and what the tables of its output hold now.

    Attributes:
        counts: Files in the tables, by status and by verdict.
        counters: What the run did.
        num_waiting: Files of the folder without a score.
        num_changes: How often the run changed what the tables say.
        num_explained: Files for which evidence was made.
        evidence_error: Why evidence is lacking; None where it is not.
        drift: How far the media have moved; None where the run scored none.
        version: Names the scores.
        seconds: Wall time.
        folder_before: URI of another folder whose tables were here before; None for none.
    """

    counts: TableCounts
    counters: RunCounters
    num_waiting: int
    num_changes: int
    num_explained: int
    evidence_error: str | None
    drift: DriftResult | None
    version: str
    seconds: float
    folder_before: str | None

    def as_record(self) -> dict[str, Any]:
        """Return all of it in JSON types."""
        done = self.counters
        return {
            "num_files": self.counts.num_files,
            **self.counts.as_record(),
            "num_listed": done.num_listed,
            "num_probed": done.num_probed,
            "num_scored": done.num_scored,
            "num_vanished": done.num_vanished,
            "num_waiting": self.num_waiting,
            "num_explained": self.num_explained,
            "evidence_error": self.evidence_error,
            "num_changes": self.num_changes,
            "seconds": self.seconds,
            "media_per_second": done.num_scored / self.seconds,
            "counters": done.numbers(),
            "version": self.version,
            "folder_before": self.folder_before,
            "drift": None if self.drift is None else self.drift.as_record(),
        }


def score_folder(
    folder: Location,
    output: ScoresFolder,
    *,
    job: ScoreJob,
    options: FolderOptions,
    batches: BatchRunner,
    data_root: DataRoot,
    run_id: str,
) -> FolderSummary:
    """Score every file of a folder that has no score of this detector and configuration yet.

    Args:
        folder: The media.
        output: The output folder.
        job: Which detector, and how it scores.
        options: Which files, and how they are gone through.
        batches: Where batches run.
        data_root: Where it is noted that scores went to the output.
        run_id: Names the run in the log.

    Raises:
        CorpusError: There is no file to score.
        DataError: Another run is at work on the output.
    """
    began = time.monotonic()
    bundle = load_bundle(job.scorer.detector.path)
    version = scores_version(job.scorer, bundle=bundle)
    setup = describe_setup(job.scorer, bundle=bundle, limits=job.worker_limits)
    with (
        output.lock() as lock,
        event_log(output.log, run_id=run_id, mask=mask_credentials),
        open_state(output.state, folder=to_uri(folder), version=version) as state,
        record_run(output, state, run_id=run_id, setup=setup) as record,
        batches,
    ):
        remember_output(data_root, output.path)
        folder_before = output.scored_folder
        write_setup(output.version(version), setup)
        # What earlier runs left: another machine's listing, parts on disk, limits.
        read_listing(output.path, state)
        state.reconcile(find_parts(output.parts(version)))
        state.apply_limits(job.media_limits)
        if options.is_on_cluster:
            job = share_detector(job, output.version(version))
        run = _Run(output, job, bundle, options, state, record, lock, batches, DriftWatch(bundle))
        # List, probe, gather batches, score, write parts.
        _score_files(
            run, stream_media(folder, media_filter=options.media_filter, skipped=output.path)
        )
        if state.num_files == 0 and not options.is_waiting_for_files:
            raise CorpusError(f"no file to look at; {describe_folder(folder)}", path=to_uri(folder))
        num_waiting, num_changes = state.num_waiting, state.num_changes
        # Put the parts together into tables, compare with the reference, make evidence.
        lock.check()
        counts = write_scores(output, state, setup=job.scorer, bundle=bundle)
        write_listing(output.path, state)
        drift = _compare_with_reference(run)
        num_explained, evidence_error = batches.make_evidence(
            output.version(version),
            job=job,
            bundle=bundle,
            num_files=options.num_evidence,
            is_retrying_failed=options.is_retrying_failed,
        )
        lock.check()
        record.record_tables(counts, num_waiting=num_waiting)
    return FolderSummary(
        counts=counts,
        counters=record.counters,
        num_waiting=num_waiting,
        num_changes=num_changes,
        num_explained=num_explained,
        evidence_error=evidence_error,
        drift=drift,
        version=version,
        seconds=time.monotonic() - began,
        folder_before=None if folder_before == to_uri(folder) else folder_before,
    )


@dataclass
class _Run:
    """A run between its first file and its last part.

    Attributes:
        waiting: Claimed media that are in no batch yet.
        left: How many media may still be claimed; None for any number.
        has_seen_part: Whether a part that another machine wrote has arrived here.
    """

    output: ScoresFolder
    job: ScoreJob
    bundle: Bundle
    options: FolderOptions
    state: ScoringState
    record: RunRecord
    lock: FolderLock
    batches: BatchRunner
    drift: DriftWatch
    waiting: list[ManifestRow] = field(default_factory=list)
    left: int | None = field(init=False)
    has_seen_part: bool = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.options.limit
        self.has_seen_part = not self.options.is_on_cluster

    @property
    def parts(self) -> Location:
        return self.output.parts(self.state.version)


def _score_files(run: _Run, rows: Iterable[ManifestRow]) -> None:
    """Take files as they are listed, until each that may be scored lies in a part."""
    try:
        with run.batches.show_progress():
            for chunk in _chunked(rows):
                _probe_unknown(run, chunk)
                for done in run.batches.take_finished():
                    _take(run, done)
                _submit_full_batches(run)
                if run.left == 0:
                    break
            run.record.end_listing()
            _finish_batches(run)
            if run.left != 0:
                run.record.count_vanished(run.state.mark_vanished())
    finally:
        close_workers()


def _probe_unknown(run: _Run, listed: Sequence[ManifestRow]) -> None:
    """Claim listed files that are as they were, and submit the others to be probed."""
    run.record.count_listed(len(listed))
    known, unknown = run.state.record_listed(listed)
    _claim(run, known)
    _submit_full_batches(run)
    if not unknown:
        return
    while not run.batches.has_room("probe"):
        _take(run, run.batches.wait_for_next())
        _submit_full_batches(run)
    batch = ProbeBatch(tuple(unknown), run.options.hashing, time.time_ns())
    run.batches.submit(batch, job=run.job)


def _claim(run: _Run, rows: Sequence[ManifestRow]) -> None:
    """Queue the files whose content is neither scored nor queued yet."""
    claimed = run.state.claim(
        rows, limit=run.left, is_retrying_failed=run.options.is_retrying_failed
    )
    if run.left is not None:
        run.left -= len(claimed)
    run.batches.expect(len(claimed))
    run.record.count_claimed(len(claimed))
    run.waiting += claimed


def _submit_full_batches(run: _Run, *, least: int = _LEAST_COST) -> None:
    """Submit full batches, and one that costs `least` if workers have nothing else to do."""
    while True:
        is_idle = run.batches.has_room("score")
        ready, run.waiting = cut_batches(
            run.waiting, least=least if is_idle else None, max_files=run.options.batch_files
        )
        if not ready:
            return
        for media in ready:
            while not run.batches.has_room("score"):
                _take(run, run.batches.wait_for_next())
            batch = create_score_batch(
                media, parts=run.parts, version=run.state.version, run_number=run.state.run
            )
            run.batches.submit(batch, job=run.job)


def _finish_batches(run: _Run) -> None:
    """Wait for all that is running, and score what is still waiting."""
    while True:
        while (done := run.batches.wait_for_next()) is not None:
            _take(run, done)
            _submit_full_batches(run)
        if not run.waiting:
            return
        _submit_full_batches(run, least=0)


def _take(run: _Run, done: ProbedBatch | ScoredBatch | None) -> None:
    """Record a finished batch; queue the files that were probed."""
    if isinstance(done, ProbedBatch):
        run.record.count_probed(done.rows, hashing=run.options.hashing)
        run.drift.add_probed(done.rows)
        run.state.record_probed(done.rows, began_ns=done.began_ns)
        _claim(run, done.rows)
    elif done is not None:
        run.lock.check()
        if not run.has_seen_part:
            _check_arrival(part_path(run.parts, done.part.key, "scores"))
            run.has_seen_part = True
        run.record.record_part(done.part, done.totals)
        run.state.commit(done.part)
        _claim(run, run.state.release(done.moved))


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
    """Yield files in chunks; the first is small, so that the first scores come soon."""
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


def _compare_with_reference(run: _Run) -> DriftResult | None:
    """Write how far the media lie from the detector's own, if the run scored any."""
    if not run.record.counters.num_scored:
        return None
    drift = run.drift.compare(
        run.state,
        parts=run.parts,
        scratch=run.output.scratch(run.state.version),
        prior=run.job.scorer.prior,
        limit=run.options.drift_limit,
    )
    write_json(run.output.drift, drift.as_record())
    run.record.record_drift(drift)
    return drift
