"""The face detector on one face, on many, and on pictures without faces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from deepfake.config import FaceConfig
from deepfake.errors import FaceError
from deepfake.extract.faces import MtcnnDetector, weights_digest
from tests.sample_data import FACE_BOX, astronaut, crowd


@pytest.fixture(scope="module")
def detector() -> Iterator[MtcnnDetector]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield MtcnnDetector(FaceConfig())
    torch.set_num_threads(before)


def test_one_face_is_found_where_it_is(detector: MtcnnDetector) -> None:
    (face,) = detector.detect(astronaut())
    assert face.bbox_xyxy == pytest.approx(FACE_BOX, abs=15)
    assert face.confidence > 0.99
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert left_mouth[0] < right_mouth[0]


def test_boxes_are_in_the_frames_own_pixels(detector: MtcnnDetector) -> None:
    """Detection works on a smaller copy of large frames."""
    large = astronaut().repeat(4, axis=0).repeat(4, axis=1)
    (face,) = detector.detect(large)
    assert face.bbox_xyxy == pytest.approx([4 * v for v in FACE_BOX], abs=60)


def test_faces_under_the_size_are_left_out() -> None:
    picture = astronaut()
    assert MtcnnDetector(FaceConfig(min_face_fraction=0.3, min_face_px=None)).detect(picture) == []
    (face,) = MtcnnDetector(FaceConfig(min_face_fraction=0.15, min_face_px=None)).detect(picture)
    assert face.size_px >= 0.15 * 512


def test_twenty_faces_are_twenty(detector: MtcnnDetector) -> None:
    faces = detector.detect(crowd(rows=4, columns=5))
    places = {(int(f.center_xy[0] // 160), int(f.center_xy[1] // 160)) for f in faces}
    assert places == {(x, y) for x in range(5) for y in range(4)}
    assert len(faces) == 20
    sizes = [face.size_px for face in faces]
    assert sizes == sorted(sizes, reverse=True)


def test_no_more_than_the_largest_are_kept(detector: MtcnnDetector) -> None:
    faces = MtcnnDetector(FaceConfig(max_faces=3)).detect(crowd(rows=2, columns=3))
    everyone = detector.detect(crowd(rows=2, columns=3))
    assert faces == everyone[:3]
    assert len(everyone) == 6


def test_a_face_in_the_dark_is_found(detector: MtcnnDetector) -> None:
    picture = astronaut()
    dark = (picture * (0.1 * 255 / picture.mean())).astype(np.uint8)
    before = dark.copy()
    (face,) = detector.detect(dark)
    assert face.bbox_xyxy == pytest.approx(FACE_BOX, abs=20)
    assert (dark == before).all()


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 0, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        _noise(19, 19),
        _noise(20, 20),
        _noise(2, 3000),
        np.full((21, 3000, 3), 90, np.uint8),
        np.full((3000, 21, 3), 90, np.uint8),
        np.zeros((240, 320, 3), np.uint8),
        np.full((240, 320, 3), 255, np.uint8),
        np.full((240, 320, 3), 10, np.uint8),
        np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3)),
        _noise(240, 320),
        _noise(240, 320) // 8,
    ],
    ids=lambda f: f"{f.shape[1]}x{f.shape[0]}-{f.mean() if f.size else 0:.0f}",
)
def test_what_is_no_face_is_none(detector: MtcnnDetector, frame: np.ndarray) -> None:
    assert detector.detect(frame) == []


def test_a_frame_gives_the_same_after_others(detector: MtcnnDetector) -> None:
    alone = MtcnnDetector(FaceConfig()).detect(astronaut())
    detector.detect(crowd(rows=2, columns=2))
    assert detector.detect(astronaut()) == alone


def test_a_missing_device_is_an_error() -> None:
    with pytest.raises(FaceError, match="could not be built on nonsense"):
        MtcnnDetector(FaceConfig(), device="nonsense")


def test_the_weights_have_a_digest() -> None:
    assert len(weights_digest()) == 16
    int(weights_digest(), 16)
