"""Faces of live frames: found, followed, judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import FaceConfig, MediaLimits
from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.extract.faces import MtcnnDetector
from deepfake.media import ArrivedFrame, open_stream, parse_source, write_video
from deepfake.types import Frame, Verdict
from deepfake.views.webcam import FrameReader, FrameResult, Watcher, create_watcher, watch
from tests.sample_data import astronaut, clip_frames, landscape

_STEP = 0.05
Pixels = NDArray[np.uint8]


def _packaged() -> Path:
    found = packaged_detector()
    assert found is not None
    return found


@dataclass
class FixedDetector:
    """A detector that returns the same logit for each crop."""

    logit: float = -6.0
    num_seen: list[int] = field(default_factory=list)
    spec: Any = field(default_factory=lambda: load_bundle(_packaged()).spec)

    def head_outputs(self, crops: Sequence[Pixels]) -> dict[str, NDArray[np.float32]]:
        self.num_seen.append(len(crops))
        return {name: np.full(len(crops), self.logit, np.float32) for name in self.spec.outputs}


@pytest.fixture(scope="module")
def faces() -> MtcnnDetector:
    return MtcnnDetector(FaceConfig())


def _scene(*lefts: int) -> Pixels:
    """Return a frame with a head at each of some places."""
    pixels = np.full((360, 1000, 3), 90, np.uint8)
    for left in lefts:
        pixels[60:270, left : left + 210] = astronaut()[20:230, 120:330]
    return pixels


def _frames(pictures: Sequence[Pixels]) -> Iterator[Frame]:
    for index, pixels in enumerate(pictures):
        yield Frame(pixels, index * _STEP, index)


def _watched(
    detector: FixedDetector, faces: MtcnnDetector, pictures: Sequence[Pixels]
) -> list[Any]:
    watcher = Watcher(detector, faces=faces)  # type: ignore[arg-type]
    return [watcher.analyse(frame) for frame in _frames(pictures)]


def test_two_people_are_followed_each_with_a_verdict_of_its_own(faces: MtcnnDetector) -> None:
    pictures = [_scene(40 + 2 * i, 600 - 2 * i) for i in range(30)]
    results = _watched(FixedDetector(logit=-6.0), faces, pictures)
    assert {tuple(face.track_id for face in result) for result in results} == {(0, 1)}
    ways = [[result[who].bbox_xyxy[0] for result in results] for who in (0, 1)]
    assert abs(ways[0][-1] - ways[0][0]) > 40
    assert (ways[0][-1] - ways[0][0]) * (ways[1][-1] - ways[1][0]) < 0
    assert [face.verdict for face in results[-1]] == [Verdict.REAL, Verdict.REAL]
    assert sum(f.live_verdict.is_changed for result in results for f in result) == 2


def test_another_scene_has_other_people(faces: MtcnnDetector) -> None:
    bright = np.where(_scene(300) == 90, 250, _scene(300)).astype(np.uint8)
    results = _watched(FixedDetector(), faces, [*[_scene(300)] * 3, *[bright] * 3])
    assert [[face.track_id for face in result] for result in results] == [[0]] * 3 + [[1]] * 3


def test_one_who_was_away_for_a_while_is_somebody_else(faces: MtcnnDetector) -> None:
    short = _watched(
        FixedDetector(), faces, [_scene(300), *[_scene()] * 8, _scene(300), *[_scene(300)] * 9]
    )
    gone = _watched(FixedDetector(), faces, [_scene(300), *[_scene()] * 30, *[_scene(300)] * 10])
    assert short[-1][0].track_id == 0
    assert gone[-1][0].track_id == 1


def test_a_picture_of_nobody_costs_no_network(faces: MtcnnDetector) -> None:
    detector = FixedDetector()
    results = _watched(detector, faces, [landscape()] * 3)
    assert results == [()] * 3
    assert detector.num_seen == []


def test_with_many_faces_they_take_turns(faces: MtcnnDetector) -> None:
    crowd = np.tile(astronaut()[20:230, 120:330], (2, 5, 1))
    detector = FixedDetector()
    results = _watched(detector, faces, [crowd] * 4)
    num_faces = len(results[0])
    assert num_faces > 6
    assert set(detector.num_seen) == {6}
    unseen = [face for face in results[0] if face.live_verdict is None]
    assert len(unseen) == num_faces - 6
    assert {(f.verdict, f.prob_fake) for f in unseen} == {(Verdict.UNCERTAIN, None)}
    assert all(face.live_verdict is not None for face in results[-1])


@dataclass
class Kept:
    """An output that keeps what it gets, and takes its time."""

    seconds: float = 0.0
    results: list[FrameResult] = field(default_factory=list)
    num_idle: int = 0
    stop_after: tuple[int, threading.Event] | None = None

    def add(self, result: FrameResult) -> None:
        # All but the pixels.
        frame = replace(result.frame, pixels=np.zeros((1, 1, 3), np.uint8))
        self.results.append(replace(result, frame=frame))
        time.sleep(self.seconds)
        if self.stop_after is not None and len(self.results) >= self.stop_after[0]:
            self.stop_after[1].set()

    def idle(self, problem: str | None) -> None:
        self.num_idle += 1


@dataclass
class Quick:
    """A camera that gives a frame every hundredth of a second for ever."""

    is_live: bool = True

    def frames(self) -> Iterator[ArrivedFrame]:
        index = 0
        while True:
            time.sleep(0.01)
            yield ArrivedFrame(Frame(landscape(64), index / 100, index), time.monotonic())
            index += 1

    def close(self) -> None:
        pass


def test_one_who_is_slower_than_the_camera_drops_frames_and_never_lags(
    faces: MtcnnDetector,
) -> None:
    stop = threading.Event()
    kept = Kept(seconds=0.2, stop_after=(8, stop))
    reader = FrameReader(Quick(), reopen=Quick, stop=stop)
    watcher = Watcher(FixedDetector(), faces=faces)  # type: ignore[arg-type]
    summary = watch(reader, watcher=watcher, outputs=[kept], stop=stop)
    indices = [result.frame.frame_index for result in kept.results]
    assert summary.num_frames == len(indices) == 8
    assert summary.num_dropped == indices[-1] - indices[0] + 1 - 8 > 8
    # Whoever is asked gets what is new, however long it was busy: it never falls behind.
    waited = [result.latency_ms for result in kept.results[1:]]
    assert sorted(waited)[len(waited) // 2] < 200


def test_watching_ends_after_so_many_seconds_and_when_it_is_stopped(faces: MtcnnDetector) -> None:
    watcher = Watcher(FixedDetector(), faces=faces)  # type: ignore[arg-type]
    began = time.monotonic()
    ended = threading.Event()
    watch(
        FrameReader(Quick(), reopen=Quick, stop=ended),
        watcher=watcher,
        outputs=[],
        stop=ended,
        max_seconds=0.3,
    )
    assert 0.3 <= time.monotonic() - began < 30
    stopped = threading.Event()
    stopped.set()
    reader = FrameReader(Quick(), reopen=Quick, stop=stopped)
    summary = watch(reader, watcher=watcher, outputs=[], stop=stopped)
    assert (summary.num_frames, summary.latency_p95_ms) == (0, None)


def _clip_720(path: Path) -> Path:
    frames = []
    for face in clip_frames(50, side=480):
        pixels = np.full((720, 1280, 3), 80, np.uint8)
        pixels[120:600, 400:880] = face
        frames.append(pixels)
    return write_video(path, frames, fps=25)


@pytest.mark.slow
def test_the_real_detector_judges_each_frame_of_a_real_file(tmp_path: Path) -> None:
    clip = _clip_720(tmp_path / "clip.mp4")
    stop, kept = threading.Event(), Kept()
    stream = open_stream(parse_source(str(clip)), limits=MediaLimits(), is_realtime=False)
    reader = FrameReader(stream, reopen=lambda: stream, stop=stop, is_dropping=False)
    summary = watch(reader, watcher=create_watcher(_packaged()), outputs=[kept], stop=stop)
    assert (summary.num_frames, summary.num_dropped, summary.num_tracks) == (50, 0, 1)
    assert [len(result.faces) for result in kept.results] == [1] * 50
    last = kept.results[-1].faces[0]
    assert last.verdict is Verdict.REAL
    assert last.prob_fake is not None
    assert last.prob_fake < load_bundle(_packaged()).spec.judgement["video"].thresholds.real_below
    assert (
        sum(f.live_verdict.is_changed for k in kept.results for f in k.faces if f.live_verdict) == 1
    )
    left, top, right, bottom = last.bbox_xyxy
    assert 400 < left < right < 880
    assert 120 < top < bottom < 600


@pytest.mark.slow
@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        (lambda p: cv2.resize(p, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), "small"),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 12), "blurred"),
    ],
)
def test_small_and_blurred_faces_are_uncertain_with_the_reason_of_every_other_command(
    worse: Any, reason: str
) -> None:
    watcher = create_watcher(_packaged())
    faces: tuple[Any, ...] = ()
    for index, face in enumerate(clip_frames(30, side=480)):
        pixels = np.asarray(worse(face), np.uint8)
        faces = watcher.analyse(Frame(pixels, index * _STEP, index))
    (seen,) = faces
    assert seen.verdict is Verdict.UNCERTAIN
    assert f"the face is too {reason}" in str(seen.reason)


def test_what_the_network_gets_went_through_the_codec(
    faces: MtcnnDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def decode(encoded: bytes) -> Pixels:
        decoded.append(len(encoded))
        return np.zeros((256, 256, 3), np.uint8)

    monkeypatch.setattr("deepfake.views.webcam.watcher.decode_crop", decode)
    _watched(FixedDetector(), faces, [_scene(300)])
    assert len(decoded) == 1
