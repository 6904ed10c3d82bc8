"""Interface of what runs the batches of a scored folder: threads, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle
from deepfake.scoring.batch import ScoreBatch, ScoredBatch
from deepfake.scoring.score_job import ScoreJob
from deepfake.storage import Location

__all__ = ["BatchRunner", "ProbeBatch", "ProbedBatch"]


@dataclass(frozen=True, slots=True)
class ProbeBatch:
    """Files to be hashed and probed.

    Attributes:
        rows: As listed.
        hashing: `full` for all bytes; `sampled` for samples of large files.
        began_ns: Wall-clock time before the first of them is read.
    """

    rows: tuple[ManifestRow, ...]
    hashing: Literal["full", "sampled"]
    began_ns: int


@dataclass(frozen=True, slots=True)
class ProbedBatch:
    """Files that were hashed and probed.

    Attributes:
        rows: What was found.
        began_ns: Of the `ProbeBatch`.
    """

    rows: tuple[ManifestRow, ...]
    began_ns: int


class BatchRunner(AbstractContextManager[Any], Protocol):
    """Runs the batches of a folder; entered before the first, left after the last."""

    def show_progress(self) -> AbstractContextManager[Any]:
        """Show how far scoring is while the block runs."""
        ...

    def expect(self, num_media: int) -> None:
        """Count media that are still to be scored, for the progress."""
        ...

    def has_room(self, step: Literal["probe", "score"]) -> bool:
        """Return whether a batch would start without another one ending first."""
        ...

    def submit(self, batch: ProbeBatch | ScoreBatch, *, job: ScoreJob) -> None:
        """Start a batch for which there is room; does not wait for its end."""
        ...

    def take_finished(self) -> Iterator[ProbedBatch | ScoredBatch]:
        """Yield what has ended already, in the order in which it ended."""
        ...

    def wait_for_next(self) -> ProbedBatch | ScoredBatch | None:
        """Return the next that ends; None where nothing is running."""
        ...

    def make_evidence(
        self,
        version_dir: Location,
        *,
        job: ScoreJob,
        bundle: Bundle,
        num_files: int,
        is_retrying_failed: bool,
    ) -> tuple[int, str | None]:
        """Make the evidence that is lacking beside finished tables.

        Returns:
            For how many files it was made, and why not for all, if so.
        """
        ...
