"""Uploads of several visitors, looked at by real workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from deepfake.types import Status
from deepfake.views.webapp.settings import AppSettings
from deepfake.views.webapp.upload_queue import QueuedUpload, Stage, UploadQueue
from tests.sample_data import astronaut, landscape, make_detector, write_face_clip


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("detectors")
    return [str(make_detector(folder / name, name=name)) for name in ("one", "two")]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UploadQueue]:
    made = UploadQueue(
        AppSettings(
            data_root=tmp_path_factory.mktemp("root") / "none",
            max_mb=1,
            max_seconds=2.0,
            max_pixels=1_000_000,
        )
    )
    yield made
    made.close()


def _png(pixels: object) -> bytes:
    done, encoded = cv2.imencode(".png", pixels)  # type: ignore[call-overload]
    assert done
    return bytes(encoded)


def _finished(job: QueuedUpload) -> QueuedUpload:
    assert job.future is not None
    job.future.result(timeout=300)
    assert job.is_done and job.stage is Stage.DONE
    return job


def _error(queue: UploadQueue, content: bytes, name: str, detectors: list[str]) -> str:
    job = _finished(queue.submit(content, name=name, weights=detectors[:1]))
    assert job.results == [] and job.error is not None
    return job.error


def test_several_uploads_are_looked_at_and_none_is_left(
    queue: UploadQueue, detectors: list[str], tmp_path: Path
) -> None:
    clip = write_face_clip(tmp_path / "clip.mp4").read_bytes()
    face, view = _png(astronaut()[..., ::-1]), _png(landscape()[..., ::-1])
    uploads = {"a clip.mp4": clip, "face.png": face, "view.png": view, "cut.mp4": clip[:900]}
    jobs = {
        name: queue.submit(content, name=name, weights=detectors[:1])
        for name, content in uploads.items()
    }
    assert sum(queue.num_before(job) > 0 for job in jobs.values()) <= len(jobs) - 1
    found = {name: _finished(job).results[0] for name, job in jobs.items()}
    assert {name: result.score["uri"] for name, result in found.items()} == {n: n for n in found}
    assert found["a clip.mp4"].score["status"] == "ok"
    evidence = found["a clip.mp4"].evidence
    assert evidence is not None and evidence.record.kind == "video"
    # As many as the detector looked at, not only the strongest.
    assert len(evidence.record.frames) == found["a clip.mp4"].score["num_frames"] > 3
    assert set(evidence.record.pictures) == set(evidence.pictures)
    assert evidence.record.provenance is not None
    assert found["face.png"].score["status"] == "ok" and found["face.png"].evidence is not None
    assert found["view.png"].score["status"] == "no_face" and found["view.png"].evidence is None
    assert found["cut.mp4"].score["status"] == "decode_error"
    assert str(queue.uploads.folder) not in str([result.score for result in found.values()])
    assert list(queue.uploads.folder.iterdir()) == []


def test_two_detectors_look_at_one_upload(queue: UploadQueue, detectors: list[str]) -> None:
    face = _png(astronaut()[..., ::-1])
    job = _finished(queue.submit(face, name="face.png", weights=detectors))
    assert [result.detector for result in job.results] == ["one", "two"]
    assert {result.score["status"] for result in job.results} == {Status.OK}


def test_what_breaks_a_limit_is_refused_in_a_sentence(
    queue: UploadQueue, detectors: list[str], tmp_path: Path
) -> None:
    assert "larger than 1 MiB" in _error(queue, b"x" * (2**20 + 1), "x.png", detectors)
    long = write_face_clip(tmp_path / "long.mp4", num_frames=75).read_bytes()
    message = _error(queue, long, "long.mp4", detectors)
    assert message == "the video is 3 s long, and at most 2 s are accepted here"
    wide = _png(cv2.resize(landscape(), (1500, 1000)))
    job = _finished(queue.submit(wide, name="wide.png", weights=detectors[:1]))
    assert job.results[0].score["status"] == "too_large"
    assert list(queue.uploads.folder.iterdir()) == []


def test_a_detector_that_is_not_there_is_a_sentence(queue: UploadQueue) -> None:
    message = _error(queue, b"x", "x.png", ["/no/such/detector"])
    assert "no such" in message or "not a detector" in message or "is missing" in message


def test_a_crowd_is_asked_to_come_back_and_may_take_its_files_back(
    queue: UploadQueue, detectors: list[str]
) -> None:
    face = _png(astronaut()[..., ::-1])
    jobs = [queue.submit(face, name="a.png", weights=detectors[:1]) for _ in range(60)]
    refused = [job for job in jobs if job.error is not None]
    assert 5 < len(refused) <= 10
    assert all(job.is_done and "too many files are waiting" in str(job.error) for job in refused)
    last = next(job for job in reversed(jobs) if job.error is None)
    assert queue.num_before(last) > 10
    for job in jobs:
        queue.cancel(job)
    assert queue.num_before(last) == 0
    for job in jobs:
        if job.future is not None and not job.future.cancelled():
            job.future.result(timeout=300)
    assert list(queue.uploads.folder.iterdir()) == []


def test_a_detector_that_is_slow_to_start_keeps_no_other_waiting(
    queue: UploadQueue, detectors: list[str]
) -> None:
    face = _png(astronaut()[..., ::-1])
    one, two = detectors
    with queue.start_lock(two):
        late = queue.submit(face, name="late.png", weights=[two])
        _finished(queue.submit(face, name="soon.png", weights=[one]))
        assert not late.is_done
    assert _finished(late).results[0].detector == "two"
