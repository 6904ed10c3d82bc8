"""The batches of a scored folder as task runs of Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, Literal

from prefect import Task
from prefect.task_runners import TaskRunner

from deepfake.corpora.manifest import record_of_row, row_of_record
from deepfake.detectors.bundles import Bundle
from deepfake.scoring import ProbeBatch, ProbedBatch, ScoreBatch, ScoredBatch, ScoreJob
from deepfake.storage import Location, to_uri
from flows.evidence import make_evidence
from flows.runners import FinishedBatch, InFlight
from tasks.probe import probe
from tasks.progress import expect, show_step
from tasks.score import score
from tasks.settings import pack_records, unpack_records

__all__ = ["PrefectBatches"]

_TASKS: dict[str, Task[..., Any]] = {"probe": probe, "score": score}


class PrefectBatches:
    """Runs each batch as a task run; a `BatchRunner` of the library.

    Args:
        runner: Where they run; started on entering, stopped on leaving.
    """

    def __init__(self, runner: TaskRunner[Any]) -> None:
        self._runner = runner

    def __enter__(self) -> PrefectBatches:
        self._runner.__enter__()
        self._in_flight = InFlight(self._runner)
        return self

    def __exit__(self, *error: Any) -> None:
        self._runner.__exit__(*error)

    def show_progress(self) -> AbstractContextManager[Any]:
        """Show how far scoring is while the block runs."""
        return show_step("score", total=0)

    def expect(self, num_media: int) -> None:
        """Count media that are still to be scored, for the progress."""
        expect(num_media)

    def has_room(self, step: Literal["probe", "score"]) -> bool:
        """Return whether a batch would start without another one ending first."""
        return self._in_flight.has_room(_TASKS[step])

    def submit(self, batch: ProbeBatch | ScoreBatch, *, job: ScoreJob) -> None:
        """Start a batch for which there is room."""
        if isinstance(batch, ProbeBatch):
            call = {
                "rows": pack_records([record_of_row(row) for row in batch.rows]),
                "job": job,
                "hashing": batch.hashing,
            }
            self._in_flight.submit(probe, call, item=batch)
        else:
            call = {
                "parts": to_uri(batch.parts),
                "key": batch.key,
                "number": batch.run_number,
                "requests": pack_records([asdict(request) for request in batch.requests]),
                "job": job,
            }
            self._in_flight.submit(score, call, item=batch, count=len(batch.requests))

    def take_finished(self) -> Iterator[ProbedBatch | ScoredBatch]:
        """Yield what has ended already."""
        yield from map(_result_of, self._in_flight.take_finished())

    def wait_for_next(self) -> ProbedBatch | ScoredBatch | None:
        """Return the next that ends; None where nothing is running."""
        done = self._in_flight.wait_for_next()
        return None if done is None else _result_of(done)

    def make_evidence(
        self,
        version_dir: Location,
        *,
        job: ScoreJob,
        bundle: Bundle,
        num_files: int,
        is_retrying_failed: bool,
    ) -> tuple[int, str | None]:
        """Make the evidence that is lacking beside finished tables."""
        made = make_evidence(
            version_dir,
            bundle=bundle,
            num_files=num_files,
            is_retrying_failed=is_retrying_failed,
            job=job,
            batches=InFlight(self._runner),
        )
        return made.num_made, made.error


def _result_of(done: FinishedBatch) -> ProbedBatch | ScoredBatch:
    if isinstance(done.item, ProbeBatch):
        rows = tuple(row_of_record(record) for record in unpack_records(done.result))
        return ProbedBatch(rows, done.item.began_ns)
    return ScoredBatch.from_record(done.result)
