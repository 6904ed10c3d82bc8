"""Check cheaply, before a server is started, whether a folder has anything new to score."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NoReturn

from deepfake.config import MediaLimits
from deepfake.corpora.layouts import MediaFilter, stream_media
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DeepfakeError
from deepfake.scoring.batch import ScoreBatch, ScoredBatch
from deepfake.scoring.batch_runner import ProbeBatch, ProbedBatch
from deepfake.scoring.output.folder import ScoresFolder
from deepfake.scoring.score_job import ScoreJob
from deepfake.scoring.state.queries import LastRun, read_last_run
from deepfake.storage import Location, to_uri

__all__ = ["RejectingRunner", "UnexpectedWorkError", "is_unchanged"]

_MAX_FILES = 10_000
"""Most files: for a larger folder the listing takes longer than what is saved."""
_CHUNK_FILES = 500


class UnexpectedWorkError(Exception):
    """There is something to score after all."""


class RejectingRunner:
    """Batch runner of a run that has no batches."""

    def __enter__(self) -> RejectingRunner:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show_progress(self) -> nullcontext[None]:
        """Show nothing."""
        return nullcontext()

    def expect(self, num_media: int) -> None:
        """Count nothing: the batch that follows is refused."""

    def has_room(self, step: Literal["probe", "score"]) -> bool:
        """Return True: what is submitted is refused."""
        return True

    def submit(self, batch: ProbeBatch | ScoreBatch, *, job: ScoreJob) -> NoReturn:
        """Refuse a batch.

        Raises:
            UnexpectedWorkError: Always.
        """
        raise UnexpectedWorkError

    def take_finished(self) -> Iterator[ProbedBatch | ScoredBatch]:
        """Yield nothing."""
        yield from ()

    def wait_for_next(self) -> None:
        """Return None: nothing is running."""
        return

    def make_evidence(self, *_: Any, **__: Any) -> tuple[int, None]:
        """Make none: whoever asks for evidence asks for something new."""
        return 0, None


def is_unchanged(
    folder: Location,
    output: ScoresFolder,
    *,
    version: str,
    media_filter: MediaFilter,
    limits: MediaLimits,
) -> bool:
    """Return whether a run would find every file as it was, and all of them in the tables.

    It only reads. If the answer cannot be found quickly, it is False: an output in a store,
    a folder of more than 10,000 files, a run at work, a file that has gone.

    Args:
        folder: The media.
        output: The output folder.
        version: Of the scores.
        media_filter: Which files.
        limits: How large a medium may be.
    """
    parts_folder = output.parts(version)
    if not isinstance(parts_folder, Path) or not output.state.is_file():
        return False
    try:
        if output.owner() is not None:
            return False
        with read_last_run(output.state, folder=to_uri(folder), version=version) as last:
            parts = {path.stem for path in parts_folder.glob("*.json")}
            if not last.has_all_in_tables(parts, limits=limits):
                return False
            files = stream_media(folder, media_filter=media_filter, skipped=output.path)
            return _are_as_they_were(files, last)
    except (DeepfakeError, OSError):
        return False  # the run says what is wrong


def _are_as_they_were(files: Iterator[ManifestRow], last: LastRun) -> bool:
    count = 0
    while chunk := list(itertools.islice(files, _CHUNK_FILES)):
        count += len(chunk)
        if count > _MAX_FILES or not last.are_as_they_were(chunk):
            return False
    return count == last.num_present
