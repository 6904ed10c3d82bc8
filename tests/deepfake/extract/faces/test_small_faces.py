"""Faces of a size that can be judged are found in frames of any size; smaller ones are counted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.config.options import IngestOptions
from deepfake.extract.faces import MtcnnDetector
from deepfake.extract.faces.area_resize import FrameView
from deepfake.extract.options import extract_config

data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return MtcnnDetector(FaceConfig())


def frame_with_faces(
    width: int, height: int, *, side: int, columns: int = 1, rows: int = 1
) -> NDArray[np.uint8]:
    """Return a grey frame with squares in it in which a face takes a little over half the side."""
    frame = np.full((height, width, 3), 120, np.uint8)
    face = cv2.resize(data.astronaut()[:256, 96:352], (side, side), interpolation=cv2.INTER_CUBIC)
    for row in range(rows):
        for column in range(columns):
            top = int((row + 0.5) * height / rows - side / 2)
            left = int((column + 0.5) * width / columns - side / 2)
            frame[top : top + side, left : left + side] = face
    return frame


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (3840, 2160), (4000, 3000)])
@pytest.mark.parametrize("side", [180, 260])
def test_a_face_is_found_in_frames_of_all_sizes(
    detector: MtcnnDetector, size: tuple[int, int], side: int
) -> None:
    (face,) = detector.detect(frame_with_faces(*size, side=side))
    assert face.center_xy == pytest.approx((size[0] / 2, size[1] / 2), abs=side / 4)


def test_everybody_in_a_group_photograph_is_found(detector: MtcnnDetector) -> None:
    frame = frame_with_faces(4000, 3000, side=256, columns=8, rows=5)
    assert len(detector.detect(frame)) == 40


def test_one_face_in_a_panorama_is_found(detector: MtcnnDetector) -> None:
    assert len(detector.detect(frame_with_faces(12000, 2000, side=190))) == 1


def test_shares_alone_are_looked_for_where_that_is_asked() -> None:
    frame = frame_with_faces(3840, 2160, side=260)
    assert MtcnnDetector(FaceConfig(min_face_px=None)).detect(frame) == []
    config = extract_config(IngestOptions(input_path="a", corpus="a", min_face=0.2))
    assert (config.faces.min_face_fraction, config.faces.min_face_px) == (0.2, None)


def test_a_smaller_face_is_counted_and_not_judged(detector: MtcnnDetector) -> None:
    view = FrameView(frame_with_faces(1280, 720, side=85))
    assert detector.search(view).faces == ()
    assert detector.count_small(view) == 1
    assert detector.count_small(FrameView(np.full((720, 1280, 3), 90, np.uint8))) == 0


def test_settings_of_today_are_written_as_before() -> None:
    assert "min_face_px" not in FaceConfig().model_dump()
