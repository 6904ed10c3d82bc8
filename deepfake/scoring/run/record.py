"""Record a scoring run while it is at work: in its log, its state and for Prometheus."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal

from deepfake.compute.processes.stop import is_stopping
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DataError, first_line
from deepfake.scoring.batch import BatchTotals
from deepfake.scoring.drift.watch import DriftResult
from deepfake.scoring.output.folder import ScoresFolder, read_table_counts
from deepfake.scoring.output.tables import TableCounts
from deepfake.scoring.parts import Part
from deepfake.scoring.run.counters import RunCounters, write_metrics
from deepfake.scoring.run.status import INTERRUPTED
from deepfake.scoring.setups import StoredSetup
from deepfake.scoring.state.state import ScoringState
from deepfake.storage import SAMPLED_BYTES, to_uri
from deepfake.storage.event_log import log_event

__all__ = ["RunRecord", "record_run"]

_METRICS_SECONDS = 5.0
"""Between two writings of the metrics file, at least."""

_DRIFT_COLUMNS = ("kind", "name", "index", "num_media")

_logger = logging.getLogger(__name__)


class RunRecord:
    """The record of one run.

    Args:
        output: The output folder.
        state: Of the run.
        run_id: Names the run in the log.
        setup: What it scores with.
    """

    def __init__(
        self, output: ScoresFolder, state: ScoringState, *, run_id: str, setup: StoredSetup
    ) -> None:
        self.counters = RunCounters()
        self._output = output
        self._state = state
        self._run_id = run_id
        self._setup = setup
        self._began = time.time()
        self._ended: float | None = None
        self._outcome = "at work"
        self._last_part: dict[str, Any] | None = None
        self._scoring_since: float | None = None
        self._is_listing = True
        self._metrics_at = 0.0
        self._drift: DriftResult | None = None
        self._tables = read_table_counts(output.version(state.version)) or TableCounts()
        self._waiting = state.num_waiting

    def begin(self) -> None:
        """Record that the run begins."""
        log_event(
            "run began",
            folder=self._state.folder,
            output=str(self._output.path),
            version=self._state.version,
            detector=self._setup.detector.model_dump(mode="json"),
            package=self._setup.made_with.package,
        )
        self._publish(is_forced=True)

    def count_listed(self, count: int) -> None:
        """Count files that were listed."""
        self.counters.num_listed += count
        self._publish()

    def end_listing(self) -> None:
        """Record that all files are listed."""
        self._is_listing = False

    def count_probed(
        self, rows: Sequence[ManifestRow], *, hashing: Literal["full", "sampled"]
    ) -> None:
        """Count files that were hashed and probed."""
        sizes = [row.size_bytes or 0 for row in rows if row.media_id is not None]
        most = SAMPLED_BYTES if hashing == "sampled" else None
        self.counters.num_probed += len(rows)
        self.counters.hashed_bytes += sum(s if most is None else min(s, most) for s in sizes)
        self._publish()

    def count_claimed(self, count: int) -> None:
        """Count media that are to be scored."""
        self.counters.num_claimed += count

    def count_vanished(self, count: int) -> None:
        """Count files that were found to be gone."""
        self.counters.num_vanished += count

    def record_part(self, part: Part, totals: BatchTotals) -> None:
        """Record a part; call it before the `commit` of the state, which writes the record too."""
        self.counters.add(totals)
        self._scoring_since = self._scoring_since or time.time() - totals.seconds
        self._last_part = {
            "key": part.key,
            "media": len(part.media),
            "seconds": round(totals.seconds, 3),
            "at": _iso(time.time()),
        }
        log_event(
            "part committed",
            part=part.key,
            media=len(part.media),
            seconds=round(totals.seconds, 3),
            statuses=totals.statuses,
        )
        for failed in totals.failed:
            names = self._state.names_of([failed["media_id"]])
            for uri in sorted({uri for uri, _ in names} | {failed["uri"]}):
                log_event("file failed", **{**failed, "uri": uri})
        self._publish()

    def record_drift(self, drift: DriftResult) -> None:
        """Record how far the media lie from the detector's own."""
        self._drift = drift
        for found in drift.moved:
            log_event("media moved", **{name: getattr(found, name) for name in _DRIFT_COLUMNS})

    def record_tables(self, counts: TableCounts, *, num_waiting: int) -> None:
        """Record what the tables hold."""
        self._tables, self._waiting = counts, num_waiting

    def end(self, *, outcome: str = "finished", error: str | None = None) -> None:
        """Record that the run is over, and how it ended."""
        self._ended = time.time()
        self._outcome = outcome
        message = {} if error is None else {"message": error}
        log_event("run ended", outcome=outcome, **self.counters.numbers(), **message)
        self._publish(is_forced=True)

    def _publish(self, *, is_forced: bool = False) -> None:
        self._state.set_progress(self._progress(), is_written=is_forced)
        now = time.monotonic()
        if is_forced or now - self._metrics_at >= _METRICS_SECONDS:
            self._metrics_at = now
            self._write_metrics()

    def _progress(self) -> dict[str, Any]:
        since = self._scoring_since
        return {
            "run": self._state.run,
            "run_id": self._run_id,
            "version": self._state.version,
            "folder": self._state.folder,
            "began_at": _iso(self._began),
            "updated_at": _iso(time.time()),
            "ended_at": None if self._ended is None else _iso(self._ended),
            "outcome": self._outcome,
            "is_listing": self._is_listing,
            "last_part": self._last_part,
            "scoring_seconds": 0.0 if since is None else round(time.time() - since, 3),
            **self.counters.numbers(),
        }

    def _write_metrics(self) -> None:
        times = {"began": self._began, "ended": self._ended or 0.0}
        detector = self._setup.detector
        try:
            write_metrics(
                self._output.metrics,
                labels={
                    "output": to_uri(self._output.path),
                    "version": self._state.version,
                    "detector": detector.name,
                },
                numbers=self.counters.numbers(),
                times=times,
                files={"status": self._tables.statuses, "verdict": self._tables.verdicts},
                num_waiting=self._waiting,
                drift=None if self._drift is None else self._drift.drift,
            )
        except OSError as error:  # numbers for a dashboard are no reason to stop
            _logger.warning("the metrics cannot be written (%s)", error.strerror)


@contextmanager
def record_run(
    output: ScoresFolder, state: ScoringState, *, run_id: str, setup: StoredSetup
) -> Iterator[RunRecord]:
    """Yield the record of a run, which notes how the block ended.

    Args:
        output: The output folder.
        state: Of the run.
        run_id: Names the run in the log.
        setup: What it scores with.
    """
    record = RunRecord(output, state, run_id=run_id, setup=setup)
    record.begin()
    try:
        yield record
    except BaseException as error:
        # Where nothing can be written now, what broke says why.
        with suppress(DataError):
            if is_stopping():
                record.end(outcome=INTERRUPTED)
            else:
                record.end(outcome="failed", error=f"{type(error).__name__}: {first_line(error)}")
        raise
    record.end()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
