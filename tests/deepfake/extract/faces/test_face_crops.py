"""The square around a face, against a slow oracle."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.extract.faces import MtcnnDetector, crop_square, landmarks_in_square, measure_quality
from deepfake.types import Face
from tests.deepfake.astronaut import astronaut_pixels

_POINTS = ((0.0, 0.0),) * 5


def _face(left: float, top: float, right: float, bottom: float) -> Face:
    return Face((left, top, right, bottom), _POINTS, 1.0)


def _frame(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _mirrored(at: int, length: int) -> int:
    """Walk off the edge and back: ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ..."""
    while not 0 <= at < length:
        at = -1 - at if at < 0 else 2 * length - 1 - at
    return at


def _oracle(pixels: NDArray[np.uint8], face: Face, *, margin: float) -> NDArray[np.uint8]:
    side = max(1, round(face.size_px * margin))
    center_x, center_y = face.center_xy
    left, top = round(center_x - side / 2), round(center_y - side / 2)
    out = np.empty((side, side, 3), np.uint8)
    for y in range(side):
        for x in range(side):
            out[y, x] = pixels[
                _mirrored(top + y, pixels.shape[0]), _mirrored(left + x, pixels.shape[1])
            ]
    return out


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_the_border_is_reflected_from_inside(data: st.DataObject) -> None:
    """For any box whose centre lies in the frame, however far it reaches over."""
    width, height = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 24))
    center_x = data.draw(st.floats(0, width, exclude_max=True))
    center_y = data.draw(st.floats(0, height, exclude_max=True))
    half_w, half_h = (data.draw(st.floats(0.1, 30)) for _ in range(2))
    margin = data.draw(st.floats(1, 3))
    pixels = _frame(width, height)
    face = _face(center_x - half_w, center_y - half_h, center_x + half_w, center_y + half_h)
    expected = _oracle(pixels, face, margin=margin)
    found = crop_square(pixels, face, size=expected.shape[0], margin=margin)
    assert (found == expected).all()


def test_inside_it_is_a_cut_out() -> None:
    pixels = _frame(100, 80)
    square = crop_square(pixels, _face(40, 30, 60, 50), size=20, margin=1.0)
    assert (square == pixels[30:50, 40:60]).all()


def test_the_longer_side_counts() -> None:
    pixels = _frame(100, 100)
    square = crop_square(pixels, _face(40, 20, 60, 60), size=52, margin=1.3)
    assert (square == pixels[14:66, 24:76]).all()


def test_shrinking_averages_areas() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2] = 200
    square = crop_square(pixels, _face(0, 0, 64, 64), size=32, margin=1.0)
    assert (square == 100).all()


def test_growing_keeps_flat_areas() -> None:
    pixels = np.full((64, 64, 3), 37, np.uint8)
    assert (crop_square(pixels, _face(30, 30, 34, 34), size=256, margin=1.3) == 37).all()


@pytest.mark.parametrize("box", [(200, 200, 210, 210), (-50, 10, -40, 20), (10, -90, 20, -80)])
def test_a_square_outside_the_frame_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="outside a frame of 64x48"):
        crop_square(_frame(64, 48), _face(*box), size=32, margin=1.3)


def test_a_tiny_box_and_a_tiny_frame() -> None:
    square = crop_square(_frame(1, 1), _face(0.2, 0.2, 0.3, 0.3), size=32, margin=1.0)
    assert square.shape == (32, 32, 3)
    assert (square == square[0, 0]).all()


def test_the_frame_is_not_changed() -> None:
    pixels = _frame(40, 40)
    before = pixels.copy()
    square = crop_square(pixels, _face(10, 10, 30, 30), size=20, margin=1.0)
    square[:] = 0
    assert (pixels == before).all()


def test_a_read_only_frame_will_do() -> None:
    pixels = _frame(40, 40)
    pixels.flags.writeable = False
    for box in ((10, 10, 30, 30), (-5, -5, 20, 20)):
        assert crop_square(pixels, _face(*box), size=24, margin=1.2).shape == (24, 24, 3)


def test_sharpness_falls_with_blur_and_not_with_size() -> None:
    large = cv2.GaussianBlur(_frame(512, 512), (0, 0), 4)
    small = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(large, (0, 0), 8)
    sharp, brightness = measure_quality(large, margin=1.3)
    assert measure_quality(blurred, margin=1.3)[0] < sharp / 4
    assert measure_quality(small, margin=1.3)[0] == pytest.approx(sharp, rel=0.15)
    assert brightness == pytest.approx(127, abs=5)


def test_quality_is_of_the_face_not_of_its_margin() -> None:
    square = np.zeros((130, 130, 3), np.uint8)
    square[15:115, 15:115] = 180
    assert measure_quality(square, margin=1.3) == (0.0, 180.0)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_landmarks_stand_on_what_they_stood_on_in_the_frame(data: st.DataObject) -> None:
    """A dot in the frame is found again in the square, at the place that is told."""
    left, top = data.draw(st.floats(5, 40)), data.draw(st.floats(5, 40))
    width, height = data.draw(st.floats(30, 50)), data.draw(st.floats(30, 50))
    margin = data.draw(st.floats(1.0, 1.6))
    at = data.draw(st.tuples(st.integers(45, 60), st.integers(45, 60)))
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[at[1], at[0]] = 255
    points = ((at[0] + 0.5, at[1] + 0.5),) * 5
    face = Face((left, top, left + width, top + height), points, 1.0)
    size = 4 * round(face.size_px * margin)
    square = crop_square(pixels, face, size=size, margin=margin).astype(np.float64)[..., 0]
    expected = landmarks_in_square(face, size=size, margin=margin)
    assume(bool(np.all((expected > 16) & (expected < size - 16))))
    rows, columns = np.indices(square.shape) + 0.5
    found = [(columns * square).sum() / square.sum(), (rows * square).sum() / square.sum()]
    np.testing.assert_allclose(expected[0], found, atol=0.25)


def test_landmarks_of_a_real_face_are_found_again_in_its_crop() -> None:
    detector = MtcnnDetector(FaceConfig())
    frame = astronaut_pixels()
    (face,) = detector.detect(frame)
    square = crop_square(frame, face, size=256, margin=1.6)
    (again,) = detector.detect(square)
    expected = landmarks_in_square(face, size=256, margin=1.6)
    assert expected.shape == (5, 2)
    np.testing.assert_allclose(again.landmarks, expected, atol=6)


def test_landmarks_outside_of_the_square_stay_outside() -> None:
    points = ((0.0, 0.0), (100.0, 0.0), (50.0, 50.0), (0.0, 100.0), (100.0, 100.0))
    moved = landmarks_in_square(Face((40, 40, 60, 60), points, 1.0), size=40, margin=1.0)
    assert moved.tolist() == [[-80, -80], [120, -80], [20, 20], [-80, 120], [120, 120]]
