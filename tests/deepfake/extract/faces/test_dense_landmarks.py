"""468 landmarks lie where MTCNN has its five, turn with the picture, and need a face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.errors import ModelError
from deepfake.extract.faces import DenseLandmarker, MtcnnDetector, dense_landmarks
from deepfake.types import Face
from tests.sample_data import astronaut

RIGHT_EYE = (33, 133)
LEFT_EYE = (263, 362)
NOSE = (4,)
MOUTH = (61, 291)
OVAL_TOP, CHIN = 10, 152


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    return astronaut()


@pytest.fixture(scope="module")
def face(picture: NDArray[np.uint8]) -> Face:
    return max(MtcnnDetector(FaceConfig()).detect(picture), key=lambda found: found.size_px)


@pytest.fixture(scope="module")
def landmarker() -> DenseLandmarker:
    return DenseLandmarker()


def located(
    landmarker: DenseLandmarker, picture: NDArray[np.uint8], landmarks: NDArray[np.float64]
) -> NDArray[np.float32]:
    points = landmarker.locate(picture, landmarks)
    assert points is not None
    assert points.shape == (468, 2)
    return points


def test_eyes_nose_and_mouth_lie_where_mtcnn_has_them(
    landmarker: DenseLandmarker, picture: NDArray[np.uint8], face: Face
) -> None:
    five = np.asarray(face.landmarks)
    points = located(landmarker, picture, five)
    unit = float(np.hypot(*(five[3:].mean(axis=0) - five[:2].mean(axis=0))))
    parts = (RIGHT_EYE, LEFT_EYE, NOSE, (MOUTH[0],), (MOUTH[1],))
    for part, expected in zip(parts, five, strict=True):
        gap = float(np.hypot(*(points[list(part)].mean(axis=0) - expected)))
        assert gap < 0.2 * unit, part
    assert points[OVAL_TOP, 1] < five[:2, 1].min()
    assert points[CHIN, 1] > five[3:, 1].max()


def test_landmarks_turn_and_shrink_with_the_picture(
    landmarker: DenseLandmarker, picture: NDArray[np.uint8], face: Face
) -> None:
    five = np.asarray(face.landmarks)
    points = located(landmarker, picture, five)
    unit = float(np.hypot(*(five[3:].mean(axis=0) - five[:2].mean(axis=0))))
    matrix = cv2.getRotationMatrix2D(face.center_xy, 35, 0.8)
    turned = cv2.warpAffine(picture, matrix, picture.shape[1::-1])
    expected = points @ matrix[:, :2].T + matrix[:, 2]
    again = located(landmarker, turned, five @ matrix[:, :2].T + matrix[:, 2])
    assert float(np.abs(again - expected).mean()) < 0.03 * unit


def test_where_there_is_no_face_there_is_no_answer(landmarker: DenseLandmarker, face: Face) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    assert landmarker.locate(noise, np.asarray(face.landmarks)) is None
    assert landmarker.locate(np.zeros_like(noise), np.asarray(face.landmarks)) is None


def test_five_landmarks_that_are_not_those_of_the_face_are_noticed(
    landmarker: DenseLandmarker, picture: NDArray[np.uint8], face: Face
) -> None:
    five = np.asarray(face.landmarks)
    upside_down = 2 * five.mean(axis=0) - five
    assert landmarker.locate(picture, upside_down) is None


def test_changed_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "face_landmark.tflite"
    changed.write_bytes(b"something else")
    monkeypatch.setattr(dense_landmarks, "_MODEL", changed)
    with pytest.raises(ModelError, match="was changed"):
        DenseLandmarker()
