"""Landmarks at every moment out of some detections, and the square that is cut by them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import MouthConfig
from deepfake.extract.lips.detect import DetectedFaces
from deepfake.extract.lips.follow import follow_faces
from deepfake.extract.lips.mouths import cut_mouth, mouth_square
from deepfake.types import Face

_POINTS = np.array([(30, 40), (70, 40), (50, 60), (35, 80), (65, 80)], float)
_DAY = np.full(128, 1 / 128, np.float32)
_NIGHT = np.eye(128, dtype=np.float32)[0]


def _face(x: float, *, scale: float = 1.0, shake: float = 0.0) -> Face:
    points = _POINTS * scale + (x + shake, 0)
    return Face(
        (x, 0.0, x + 100 * scale, 110 * scale), tuple((float(a), float(b)) for a, b in points), 0.99
    )


def _seen(*positions: int, signature: NDArray[np.float32] = _DAY) -> list[DetectedFaces]:
    return [DetectedFaces(p, signature, (_face(2.0 * p),)) for p in positions]


def test_a_face_that_moves_evenly_is_followed_exactly() -> None:
    (face,) = follow_faces(_seen(0, 5, 10, 15, 19), min_moments=15)
    assert (face.first, face.landmarks.shape) == (0, (20, 5, 2))
    expected = _POINTS + np.stack([2.0 * np.arange(20), np.zeros(20)], axis=1)[:, None]
    np.testing.assert_allclose(face.landmarks, expected, atol=1e-9)
    assert face.face_px == pytest.approx(110)


def test_detections_that_tremble_are_smoothed() -> None:
    rng = np.random.default_rng(0)
    shaken = [
        DetectedFaces(p, _DAY, (_face(0.0, shake=rng.normal(0, 2)),)) for p in range(0, 50, 5)
    ]
    (face,) = follow_faces(shaken, min_moments=30)
    raw = np.array([frame.faces[0].landmarks[0][0] for frame in shaken])
    steps = np.abs(np.diff(face.landmarks[:, 0, 0]))
    assert steps.max() < np.abs(np.diff(raw)).max() / 5
    assert face.landmarks[:, 0, 0].std() < raw.std()


def test_a_cut_ends_a_face() -> None:
    frames = _seen(0, 5, 10, 15, 20) + _seen(25, 30, 35, signature=_NIGHT)
    (face,) = follow_faces(frames, min_moments=15)
    assert (face.first, len(face.landmarks)) == (0, 21)
    assert follow_faces(frames, min_moments=25) == []


def test_a_face_that_is_missed_twice_ends() -> None:
    frames = _seen(0, 5) + [DetectedFaces(p, _DAY, ()) for p in (10, 15)] + _seen(20, 25, 30, 35)
    (face,) = follow_faces(frames, min_moments=10)
    assert (face.first, len(face.landmarks)) == (20, 16)
    once = [*_seen(0, 5), DetectedFaces(10, _DAY, ()), *_seen(15, 20)]
    assert len(follow_faces(once, min_moments=10)[0].landmarks) == 21


def test_the_larger_of_two_faces_comes_first() -> None:
    frames = [
        DetectedFaces(p, _DAY, (_face(400.0, scale=0.5), _face(0.0))) for p in range(0, 20, 5)
    ]
    assert [f.face_px for f in follow_faces(frames, min_moments=10)] == pytest.approx([110, 55])


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 7.0])
@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_the_square_is_level_and_around_the_mouth(scale: float, degrees: float) -> None:
    """A bar between the corners of the mouth comes out level and in the middle."""
    size = int(130 * scale)
    turn = cv2.getRotationMatrix2D((50 * scale, 60 * scale), -degrees, 1.0)
    points = np.c_[_POINTS * scale, np.ones(5)] @ turn.T
    grey = np.zeros((size, size), np.uint8)
    corners = [tuple(int(v) for v in point) for point in np.rint(points[3:])]
    cv2.line(grey, corners[0], corners[1], 255, max(1, round(6 * scale)))
    config = MouthConfig()
    mouth = cut_mouth(grey, points, config=config)
    assert mouth.shape == (64, 64)
    rows, columns = np.nonzero(mouth > 100)
    assert rows.mean() == pytest.approx(31.5, abs=1.5)
    assert columns.mean() == pytest.approx(31.5, abs=1.5)
    # 30 of a square of 1.6 * 40 pixels, and the round ends of the bar.
    assert np.ptp(columns) == pytest.approx(64 * 36 / 64, abs=4)
    assert np.ptp(rows) < 14
    assert mouth_square(points, side=1.6)[1] == pytest.approx(64 * scale)


def test_a_mouth_at_the_edge_repeats_it() -> None:
    grey = np.full((100, 100), 77, np.uint8)
    assert (cut_mouth(grey, _POINTS * 20 + 500, config=MouthConfig()) == 77).all()
    assert (cut_mouth(grey, _POINTS - 60, config=MouthConfig()) == 77).all()
