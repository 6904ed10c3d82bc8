"""A folder is scored by the library alone, wherever its batches run."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
import pytest

from deepfake.compute.workers import shared_workers
from deepfake.config import MediaLimits
from deepfake.corpora.layouts import MediaFilter
from deepfake.corpora.probe import probe_rows
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import CorpusError
from deepfake.media import write_image
from deepfake.scoring import (
    FolderOptions,
    FolderSummary,
    ProbeBatch,
    ProbedBatch,
    RejectingRunner,
    ScoreBatch,
    ScoredBatch,
    ScoreJob,
    ScoresFolder,
    UnexpectedWorkError,
    create_score_job,
    score_batch,
    score_folder,
    scores_version,
)
from deepfake.scoring.run.unchanged import is_unchanged
from deepfake.storage import DataRoot
from tests.sample_data import face_close_up, landscape, make_detector


class _InThisProcess:
    """Runs a batch when its result is asked for; has room for one of each step."""

    def __init__(self) -> None:
        self.submitted: list[ProbeBatch | ScoreBatch] = []
        self.num_expected = 0
        self._waiting: deque[tuple[ProbeBatch | ScoreBatch, ScoreJob]] = deque()

    def __enter__(self) -> _InThisProcess:
        return self

    def __exit__(self, *_: Any) -> None:
        assert not self._waiting

    def show_progress(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def expect(self, num_media: int) -> None:
        self.num_expected += num_media

    def has_room(self, step: Literal["probe", "score"]) -> bool:
        kind = ProbeBatch if step == "probe" else ScoreBatch
        return not any(isinstance(batch, kind) for batch, _ in self._waiting)

    def submit(self, batch: ProbeBatch | ScoreBatch, *, job: ScoreJob) -> None:
        self.submitted.append(batch)
        self._waiting.append((batch, job))

    def take_finished(self) -> Iterator[ProbedBatch | ScoredBatch]:
        yield from ()

    def wait_for_next(self) -> ProbedBatch | ScoredBatch | None:
        if not self._waiting:
            return None
        batch, job = self._waiting.popleft()
        workers = shared_workers(job.worker_setup())
        if isinstance(batch, ProbeBatch):
            rows = probe_rows(list(batch.rows), workers=workers, limits=job.media_limits)
            return ProbedBatch(tuple(rows), batch.began_ns)
        done = score_batch(batch, setup=job.scorer, workers=workers)
        return ScoredBatch.from_record(done.as_record())

    def make_evidence(self, *_: Any, **__: Any) -> tuple[int, str | None]:
        return 0, None


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ScoreJob:
    folder = tmp_path_factory.mktemp("detector")
    detector = DetectorIdentity(make_detector(folder / "d"), "tried")
    return create_score_job(detector, device="cpu", cache=folder / "cache", num_workers=1)


def _score(
    tmp_path: Path, job: ScoreJob, options: FolderOptions
) -> tuple[FolderSummary, _InThisProcess]:
    batches = _InThisProcess()
    done = score_folder(
        tmp_path / "media",
        ScoresFolder(tmp_path / "scores"),
        job=job,
        options=options,
        batches=batches,
        data_root=DataRoot(tmp_path / "data"),
        run_id="r",
    )
    return done, batches


def test_a_folder_is_scored_in_batches_once(tmp_path: Path, job: ScoreJob) -> None:
    (tmp_path / "media").mkdir()
    write_image(tmp_path / "media" / "face.png", face_close_up())
    write_image(tmp_path / "media" / "same.png", face_close_up())
    write_image(tmp_path / "media" / "view.png", landscape())
    (tmp_path / "media" / "empty.mp4").touch()
    part_way, batches = _score(tmp_path, job, FolderOptions(limit=1, batch_files=1))
    assert (part_way.counters.num_scored, batches.num_expected) == (1, 1)
    assert part_way.num_waiting > 0
    rest, batches = _score(tmp_path, job, FolderOptions(batch_files=1))
    assert rest.counters.num_scored == 1 and rest.num_waiting == 0
    assert rest.counts.statuses == {"ok": 2, "no_face": 1, "empty": 1}
    rows = pq.read_table(tmp_path / "scores" / "scores.parquet").to_pylist()
    assert {Path(row["uri"]).name: row["status"] for row in rows} == {
        "empty.mp4": "empty",
        "face.png": "ok",
        "same.png": "ok",
        "view.png": "no_face",
    }
    again, batches = _score(tmp_path, job, FolderOptions())
    assert not any(isinstance(batch, ScoreBatch) for batch in batches.submitted)
    assert (again.counters.num_scored, again.num_changes) == (0, 0)
    assert again.as_record()["statuses"] == rest.as_record()["statuses"]


def test_a_folder_without_files_is_an_error_unless_they_are_waited_for(
    tmp_path: Path, job: ScoreJob
) -> None:
    (tmp_path / "media").mkdir()
    with pytest.raises(CorpusError, match="no file to look at"):
        _score(tmp_path, job, FolderOptions())
    done, _ = _score(tmp_path, job, FolderOptions(is_waiting_for_files=True))
    assert done.counts.num_files == 0


@pytest.fixture
def scored(tmp_path: Path, job: ScoreJob) -> Path:
    """A scored folder of a picture and an empty file, in which nothing is too fresh to be sure."""
    (tmp_path / "media").mkdir()
    face = write_image(tmp_path / "media" / "face.png", face_close_up())
    empty = tmp_path / "media" / "empty.mp4"
    empty.touch()
    for path in (face, empty):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    _score(tmp_path, job, FolderOptions())
    return tmp_path


def _is_unchanged(place: Path, job: ScoreJob, **changes: Any) -> bool:
    bundle = load_bundle(job.scorer.detector.path)
    asked: dict[str, Any] = {
        "version": scores_version(job.scorer, bundle=bundle),
        "media_filter": MediaFilter(),
        "limits": job.media_limits,
        **changes,
    }
    return is_unchanged(place / "media", ScoresFolder(place / "scores"), **asked)


def test_nothing_is_new_in_a_scored_folder_and_a_run_without_batches_says_so(
    scored: Path, job: ScoreJob
) -> None:
    assert _is_unchanged(scored, job)
    done = score_folder(
        scored / "media",
        ScoresFolder(scored / "scores"),
        job=job,
        options=FolderOptions(),
        batches=RejectingRunner(),
        data_root=DataRoot(scored / "data"),
        run_id="again",
    )
    assert (done.counters.num_listed, done.counters.num_scored) == (2, 0)
    assert done.counts.statuses == {"ok": 1, "empty": 1}
    assert _is_unchanged(scored, job), "the run changed nothing"


def _change_time(place: Path) -> None:
    os.utime(place / "media" / "face.png", (1_700_000_001, 1_700_000_001))


def _add_file(place: Path) -> None:
    shutil.copy(place / "media" / "face.png", place / "media" / "other.png")


def _remove_file(place: Path) -> None:
    (place / "media" / "face.png").unlink()


def _remove_part(place: Path) -> None:
    (part,) = place.glob("scores/versions/*/parts/*.json")
    part.unlink()


def _remove_state(place: Path) -> None:
    (place / "scores" / "state.sqlite").unlink()


def _hide_folder(place: Path) -> None:
    (place / "media").rename(place / "elsewhere")


@pytest.mark.parametrize(
    "change",
    [_change_time, _add_file, _remove_file, _remove_part, _remove_state, _hide_folder],
)
def test_whatever_changed_is_for_a_run_to_see_to(
    scored: Path, job: ScoreJob, change: Callable[[Path], None]
) -> None:
    change(scored)
    assert not _is_unchanged(scored, job)


def test_other_scores_and_other_limits_are_something_new(scored: Path, job: ScoreJob) -> None:
    assert not _is_unchanged(scored, job, version="0" * 16)
    assert not _is_unchanged(scored, job, limits=MediaLimits(max_bytes=10_000_000))
    with ScoresFolder(scored / "scores").lock():
        assert not _is_unchanged(scored, job), "a run is at work"


def test_a_file_that_was_not_scored_for_a_limit_is_something_new(
    scored: Path, job: ScoreJob
) -> None:
    write_image(scored / "media" / "view.png", landscape())
    os.utime(scored / "media" / "view.png", (1_700_000_000, 1_700_000_000))
    _score(scored, job, FolderOptions(media_filter=MediaFilter(include=("face.png", "empty.mp4"))))
    assert not _is_unchanged(scored, job)
    batches = RejectingRunner()
    with pytest.raises(UnexpectedWorkError):
        score_folder(
            scored / "media",
            ScoresFolder(scored / "scores"),
            job=job,
            options=FolderOptions(),
            batches=batches,
            data_root=DataRoot(scored / "data"),
            run_id="again",
        )
