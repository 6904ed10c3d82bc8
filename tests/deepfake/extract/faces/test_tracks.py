"""Linking faces of sampled frames into tracks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake.extract.faces import build_tracks, find_cuts, frame_signature
from deepfake.types import Face, FaceTrack, Frame

_POINTS = ((0.0, 0.0),) * 5


def _face(x: float, y: float, size: float = 80.0) -> Face:
    half = size / 2
    return Face((x - half, y - half, x + half, y + half), _POINTS, 0.99)


def _tracks(
    frames: Sequence[Sequence[Face]], *, cuts: Sequence[bool] | None = None
) -> list[FaceTrack]:
    numbered = [((10 * i, i / 2), faces) for i, faces in enumerate(frames)]
    return build_tracks(numbered, cuts=cuts)


def test_one_person_is_one_track() -> None:
    faces = [_face(100 + 12 * i, 200 + 3 * i, 80 + i) for i in range(10)]
    (track,) = _tracks([[face] for face in faces])
    assert track.faces == tuple(faces)
    assert track.frame_indices == tuple(range(0, 100, 10))
    assert track.pts_seconds == tuple(i / 2 for i in range(10))


def test_two_people_who_cross_keep_their_tracks() -> None:
    left = [_face(100 + 20 * i, 150) for i in range(16)]
    right = [_face(400 - 20 * i, 220) for i in range(16)]
    # The detector gives the larger face first, so the order says nothing.
    frames = [[a, b] if i % 2 else [b, a] for i, (a, b) in enumerate(zip(left, right, strict=True))]
    first, second = _tracks(frames)
    assert {first.faces, second.faces} == {tuple(left), tuple(right)}


def test_people_of_different_size_who_cross_keep_their_tracks() -> None:
    near = [_face(100 + 20 * i, 150, 160) for i in range(16)]
    far = [_face(400 - 20 * i, 150, 60) for i in range(16)]
    first, second = _tracks([[a, b] for a, b in zip(near, far, strict=True)])
    assert (first.faces, second.faces) == (tuple(near), tuple(far))


def test_a_cut_ends_every_track() -> None:
    frames = [[_face(100, 100)] for _ in range(6)]
    cuts = [False, False, False, True, False, False]
    assert [len(t.faces) for t in _tracks(frames, cuts=cuts)] == [3, 3]


@pytest.mark.parametrize(("gap", "count"), [(1, 1), (7, 1), (8, 2), (20, 2)])
def test_a_face_that_vanishes_and_comes_back(gap: int, count: int) -> None:
    frames = [[_face(100, 100)], *[[]] * gap, [_face(110, 100)]]
    assert len(_tracks(frames)) == count


def test_the_one_that_stays_is_not_confused_by_the_one_that_leaves() -> None:
    stays, leaves = _face(100, 100), _face(300, 100)
    first, second = _tracks([[stays, leaves], [stays], [stays], [leaves, stays]])
    assert len(first.faces) == 4
    assert second.frame_indices == (0, 30)


@pytest.mark.parametrize(
    "other", [_face(400, 100), _face(100, 400), _face(100, 100, 160), _face(100, 100, 40)]
)
def test_what_is_too_far_or_of_another_size_is_another_person(other: Face) -> None:
    assert len(_tracks([[_face(100, 100)], [other]])) == 2


def test_nobody_is_no_track() -> None:
    assert _tracks([]) == []
    assert _tracks([[], []]) == []


def test_frames_may_be_given_whole() -> None:
    frame = Frame(np.zeros((4, 4, 3), np.uint8), pts_seconds=1.5, frame_index=7)
    (track,) = build_tracks([(frame, [_face(2, 2)])])
    assert (track.frame_indices, track.pts_seconds) == ((7,), (1.5,))


face_lists = st.lists(
    st.lists(
        st.builds(_face, st.integers(0, 300), st.integers(0, 300), st.integers(20, 120)), max_size=4
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(face_lists, st.randoms())
def test_every_face_is_in_one_track_and_no_track_twice_in_a_frame(
    frames: list[list[Face]], random: object
) -> None:
    cuts = [bool(i) and random.random() < 0.2 for i in range(len(frames))]  # type: ignore[attr-defined]
    tracks = _tracks(frames, cuts=cuts)
    assert [t.track_id for t in tracks] == list(range(len(tracks)))
    for track in tracks:
        assert all(a < b for a, b in itertools.pairwise(track.frame_indices))
        first, last = track.frame_indices[0] // 10, track.frame_indices[-1] // 10
        assert not any(cuts[first + 1 : last + 1])
    placed = [(i, f) for t in tracks for i, f in zip(t.frame_indices, t.faces, strict=True)]
    expected = [(10 * i, face) for i, faces in enumerate(frames) for face in faces]
    assert sorted(placed, key=str) == sorted(expected, key=str)


def _scene(hue: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 60, (90, 160), dtype=np.uint8)
    hsv = np.dstack([np.full_like(noise, hue), 150 + noise, 120 + noise])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def test_another_scene_is_a_cut_and_a_moving_one_is_not() -> None:
    scenes = [_scene(20), np.roll(_scene(20, seed=1), 40, axis=1), _scene(100), _scene(100, seed=2)]
    assert find_cuts([frame_signature(s) for s in scenes]) == [False, False, True, False]


@pytest.mark.parametrize("value", [0, 255])
def test_flat_frames_have_a_signature(value: int) -> None:
    signature = frame_signature(np.full((3, 5, 3), value, np.uint8))
    assert signature.shape == (128,)
    assert signature.sum() == pytest.approx(1)
    assert find_cuts([signature, signature]) == [False, False]


def test_no_frames_no_cuts() -> None:
    assert find_cuts([]) == []
