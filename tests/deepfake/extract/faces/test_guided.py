"""Guided detection: which frames are searched, which tracked, and that no face is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.extract.faces import LiveFaceDetector, MtcnnDetector, SeenFrame, detect_frames
from deepfake.extract.faces.area_resize import FrameView
from deepfake.extract.faces.mtcnn import Detection
from deepfake.types import Face, Frame
from tests.sample_data import astronaut

SIZE = (360, 640)


class Counting:
    """The detector, and how often it was asked what."""

    def __init__(self, detector: MtcnnDetector) -> None:
        self.detector = detector
        self.calls: list[str] = []

    def search(self, view: FrameView) -> Detection:
        self.calls.append("search")
        return self.detector.search(view)

    def search_near(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]:
        self.calls.append("near")
        return self.detector.search_near(view, expected)

    def follow(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]:
        self.calls.append("follow")
        return self.detector.follow(view, expected)


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return MtcnnDetector(FaceConfig())


@pytest.fixture
def counting(detector: MtcnnDetector) -> Counting:
    return Counting(detector)


def scene(*lefts: int | None, light: int = 90) -> NDArray[np.uint8]:
    """Return a frame with a head at each of some places."""
    height, width = SIZE
    pixels = np.full((height, width, 3), light, dtype=np.uint8)
    head = astronaut()[20:230, 120:330]
    for left in lefts:
        if left is not None:
            pixels[60:270, left : left + 210] = head
    return pixels


def frames(pictures: Sequence[NDArray[np.uint8]], *, step: float) -> Iterator[Frame]:
    """Yield pictures as frames of one video."""
    for index, pixels in enumerate(pictures):
        yield Frame(pixels=pixels, pts_seconds=index * step, frame_index=index)


def whole(pictures: Sequence[NDArray[np.uint8]], detector: MtcnnDetector) -> list[list[Face]]:
    """Return what is found when each frame is searched."""
    return [detector.detect(pixels) for pixels in pictures]


def assert_same_faces(seen: Sequence[SeenFrame], expected: Sequence[Sequence[Face]]) -> None:
    """Check that the same faces stand in the same places in each frame."""
    assert len(seen) == len(expected)
    for one, faces in zip(seen, expected, strict=True):
        assert len(one.faces) == len(faces)
        ours = sorted(face.center_xy for face in one.faces)
        theirs = sorted(face.center_xy for face in faces)
        np.testing.assert_allclose(ours, theirs, atol=12)


def test_in_a_run_one_frame_in_eight_is_searched(counting: Counting) -> None:
    pictures = [scene(100 + 2 * i) for i in range(17)]
    seen = list(detect_frames(frames(pictures, step=0.04), detector=counting))
    assert [i for i, one in enumerate(seen) if one.is_searched] == [0, 8, 16]
    assert counting.calls.count("search") == 3
    assert counting.calls.count("follow") == 14
    assert_same_faces(seen, whole(pictures, counting.detector))


def test_a_burst_of_four_is_searched_once(counting: Counting) -> None:
    pictures = [scene(100 + i) for i in range(4)]
    seen = list(detect_frames(frames(pictures, step=0.04), detector=counting))
    assert [one.is_searched for one in seen] == [True, False, False, False]
    assert_same_faces(seen, whole(pictures, counting.detector))


@pytest.mark.parametrize(
    ("lefts", "needed"),
    [([60 + 8 * i for i in range(9)], "follow"), ([100 + 80 * (i % 2) for i in range(9)], "near")],
    ids=["slow", "fast"],
)
def test_samples_apart_are_looked_at_around_the_last_face(
    counting: Counting, lefts: list[int], needed: str
) -> None:
    pictures = [scene(left) for left in lefts]  # the head is 210 pixels wide
    seen = list(detect_frames(frames(pictures, step=0.4), detector=counting))
    assert [i for i, one in enumerate(seen) if one.is_searched] == [0, 8]
    assert counting.calls.count(needed) >= 7
    assert_same_faces(seen, whole(pictures, counting.detector))


def test_the_whole_frame_is_searched_every_few_seconds(counting: Counting) -> None:
    seen = list(detect_frames(frames([scene(100)] * 7, step=1.5), detector=counting))
    assert [i for i, one in enumerate(seen) if one.is_searched] == [0, 3, 6]


def test_bursts_of_one_scene_share_their_searches(counting: Counting) -> None:
    starts = (0.0, 1.0, 2.0, 3.0)
    times = [start + 0.04 * i for start in starts for i in range(4)]
    burst = [Frame(scene(100), seconds, i) for i, seconds in enumerate(times)]
    seen = list(detect_frames(burst, detector=counting))
    assert [i for i, one in enumerate(seen) if one.is_searched] == [0, 8, 15]
    assert all(len(one.faces) == 1 for one in seen)


def test_samples_far_apart_are_all_searched(counting: Counting) -> None:
    seen = list(detect_frames(frames([scene(100)] * 4, step=10.0), detector=counting))
    assert all(one.is_searched for one in seen)
    assert counting.calls == ["search"] * 4


def test_without_guidance_all_are_searched(counting: Counting) -> None:
    pictures = [scene(100)] * 3
    seen = list(detect_frames(frames(pictures, step=0.04), detector=counting, is_guided=False))
    assert counting.calls == ["search"] * 3
    assert [one.frame.frame_index for one in seen] == [0, 1, 2]


def test_who_enters_between_two_searches_is_found_in_every_frame(counting: Counting) -> None:
    pictures = [scene(60)] * 2 + [scene(60, 380)] * 3
    seen = list(detect_frames(frames(pictures, step=0.5), detector=counting))
    assert [len(one.faces) for one in seen] == [1, 1, 2, 2, 2]


def test_a_face_that_is_lost_is_searched_for(counting: Counting) -> None:
    """It jumps farther than anything moves, and back."""
    pictures = [scene(20), scene(400), scene(20), scene(20), scene(20)]
    seen = list(detect_frames(frames(pictures, step=0.5), detector=counting))
    assert [i for i, one in enumerate(seen) if one.is_searched] == [0, 1, 2, 4]
    assert_same_faces(seen, whole(pictures, counting.detector))


def test_a_cut_is_searched(counting: Counting) -> None:
    dark, light = [scene(100, light=10)] * 2, [scene(300, light=250)] * 2
    seen = list(detect_frames(frames(dark + light, step=0.04), detector=counting))
    assert [one.is_searched for one in seen] == [True, False, True, False]
    assert [len(one.faces) for one in seen] == [1, 1, 1, 1]


def test_frames_without_faces_are_searched_unless_a_moment_apart(counting: Counting) -> None:
    empty = [scene()] * 5
    assert not any(s.faces for s in detect_frames(frames(empty, step=0.5), detector=counting))
    assert counting.calls == ["search"] * 5
    counting.calls.clear()
    assert not any(s.faces for s in detect_frames(frames(empty, step=0.04), detector=counting))
    assert counting.calls.count("search") == 1


def test_a_face_in_the_dark_is_followed(counting: Counting) -> None:
    pictures = [(scene(100 + i) * 0.15).astype(np.uint8) for i in range(4)]
    seen = list(detect_frames(frames(pictures, step=0.04), detector=counting))
    assert [len(one.faces) for one in seen] == [1, 1, 1, 1]
    assert [one.is_searched for one in seen] == [True, False, False, False]


def test_no_more_than_nine_frames_are_held(counting: Counting) -> None:
    """Nothing grows with the length of a video."""
    ahead = 0

    def counted() -> Iterator[Frame]:
        nonlocal ahead
        for frame in frames([scene(100)] * 40, step=0.04):
            ahead += 1
            yield frame

    for done, _ in enumerate(detect_frames(counted(), detector=counting)):
        assert ahead - done <= 9


def test_no_frames_give_none(counting: Counting) -> None:
    assert list(detect_frames([], detector=counting)) == []
    assert counting.calls == []


def test_following_answers_each_frame_at_once_and_searches_now_and_then(
    counting: Counting,
) -> None:
    follower = LiveFaceDetector(counting, search_seconds=60.0)
    pictures = [scene(100 + 2 * i) for i in range(20)]
    seen = [follower.detect(frame) for frame in frames(pictures, step=0.04)]
    assert_same_faces(seen, whole(pictures, counting.detector))
    assert [at for at, one in enumerate(seen) if one.is_searched] == [0, 8, 16]
    assert counting.calls.count("follow") == 17


def test_following_finds_a_newcomer_within_half_a_second_and_another_scene_at_once(
    counting: Counting,
) -> None:
    follower = LiveFaceDetector(counting, search_every=1000)
    pictures = [scene(), *[scene(300)] * 15, scene(50, light=240)]
    seen = [follower.detect(frame) for frame in frames(pictures, step=0.04)]
    found = next(one.frame.pts_seconds for one in seen if one.faces)
    assert 0.04 <= found <= 0.54
    assert seen[-1].is_searched
    assert seen[-1].faces[0].center_xy[0] < 300


def test_following_searches_where_a_face_is_lost(counting: Counting) -> None:
    follower = LiveFaceDetector(counting, search_seconds=60.0)
    pictures = [scene(100), scene(100), scene(), scene()]
    seen = [follower.detect(frame) for frame in frames(pictures, step=0.04)]
    assert [len(one.faces) for one in seen] == [1, 1, 0, 0]
    assert [one.is_searched for one in seen] == [True, False, True, False]
