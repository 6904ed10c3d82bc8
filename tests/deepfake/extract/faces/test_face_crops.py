"""Cropping faces, compared with a slow reference."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepfake.config import CropConfig, FaceConfig, digest_of
from deepfake.extract.faces import MtcnnDetector, crop_face, landmarks_in_square, place_square
from deepfake.types import Face
from tests.sample_data import astronaut

_POINTS = ((0.0, 0.0),) * 5

Edge = Literal["mirror", "inside"]


def _face(left: float, top: float, right: float, bottom: float) -> Face:
    return Face((left, top, right, bottom), _POINTS, 1.0)


def _cut(
    pixels: NDArray[np.uint8], face: Face, *, size: int, margin: float, edge: Edge = "mirror"
) -> NDArray[np.uint8]:
    config = CropConfig.model_construct(size=size, margin=margin, edge=edge)
    return crop_face(pixels, face, config=config).pixels


def _landmarks(face: Face, *, frame: int, size: int, margin: float) -> NDArray[np.float64]:
    square = place_square(face, width=frame, height=frame, config=CropConfig(margin=margin))
    return landmarks_in_square(face, square, size=size)


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
    found = _cut(pixels, face, size=expected.shape[0], margin=margin)
    assert (found == expected).all()


def test_inside_it_is_a_cut_out() -> None:
    pixels = _frame(100, 80)
    square = _cut(pixels, _face(40, 30, 60, 50), size=20, margin=1.0)
    assert (square == pixels[30:50, 40:60]).all()


def test_the_longer_side_counts() -> None:
    pixels = _frame(100, 100)
    square = _cut(pixels, _face(40, 20, 60, 60), size=52, margin=1.3)
    assert (square == pixels[14:66, 24:76]).all()


def test_shrinking_averages_areas() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2] = 200
    square = _cut(pixels, _face(0, 0, 64, 64), size=32, margin=1.0)
    assert (square == 100).all()


def test_growing_keeps_flat_areas() -> None:
    pixels = np.full((64, 64, 3), 37, np.uint8)
    assert (_cut(pixels, _face(30, 30, 34, 34), size=256, margin=1.3) == 37).all()


@pytest.mark.parametrize("box", [(200, 200, 210, 210), (-50, 10, -40, 20), (10, -90, 20, -80)])
def test_a_square_outside_the_frame_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="outside a frame of 64x48"):
        _cut(_frame(64, 48), _face(*box), size=32, margin=1.3)


def test_a_tiny_box_and_a_tiny_frame() -> None:
    square = _cut(_frame(1, 1), _face(0.2, 0.2, 0.3, 0.3), size=32, margin=1.0)
    assert square.shape == (32, 32, 3)
    assert (square == square[0, 0]).all()


def test_the_frame_is_not_changed() -> None:
    pixels = _frame(40, 40)
    before = pixels.copy()
    square = _cut(pixels, _face(10, 10, 30, 30), size=20, margin=1.0)
    square[:] = 0
    assert (pixels == before).all()


def test_a_read_only_frame_will_do() -> None:
    pixels = _frame(40, 40)
    pixels.flags.writeable = False
    for box in ((10, 10, 30, 30), (-5, -5, 20, 20)):
        assert _cut(pixels, _face(*box), size=24, margin=1.2).shape == (24, 24, 3)


@pytest.mark.parametrize("edge", ["mirror", "inside"])
def test_sharpness_falls_with_blur_and_not_with_size(edge: Edge) -> None:
    large = cv2.GaussianBlur(_frame(512, 512), (0, 0), 4)
    small = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(large, (0, 0), 8)
    config = CropConfig(size=512, edge=edge)
    whole = crop_face(large, _face(60, 60, 452, 452), config=config)
    half = crop_face(small, _face(30, 30, 226, 226), config=CropConfig(edge=edge))
    soft = crop_face(blurred, _face(60, 60, 452, 452), config=config)
    assert soft.sharpness < whole.sharpness / 4
    assert half.sharpness == pytest.approx(whole.sharpness, rel=0.15)
    assert whole.brightness == pytest.approx(127, abs=5)


@pytest.mark.parametrize("edge", ["mirror", "inside"])
def test_quality_is_of_the_face_not_of_its_margin(edge: Edge) -> None:
    picture = np.zeros((130, 130, 3), np.uint8)
    picture[15:115, 15:115] = 180
    cropped = crop_face(
        picture, _face(15, 15, 115, 115), config=CropConfig(size=130, margin=1.3, edge=edge)
    )
    assert (cropped.sharpness, cropped.brightness) == (0.0, 180.0)


_CORNERS_AND_EDGES = [(x, y) for x in (0, 70, 140) for y in (0, 50, 100) if (x, y) != (70, 50)]


@pytest.mark.parametrize("at", _CORNERS_AND_EDGES)
def test_at_an_edge_the_square_moves_inwards_and_shows_nothing_twice(at: tuple[int, int]) -> None:
    """Every pixel of the square is one of the frame, and no row or column stands there twice."""
    numbers = np.arange(160 * 200, dtype=np.uint32).reshape(160, 200)
    pixels = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=2).astype(np.uint8)
    face = _face(at[0], at[1], at[0] + 60, at[1] + 60)
    square = place_square(face, width=200, height=160, config=CropConfig(edge="inside"))
    assert square.side == 78
    found = _cut(pixels, face, size=78, margin=1.3, edge="inside").astype(np.uint32)
    shown = (found[..., 0] << 16) | (found[..., 1] << 8) | found[..., 2]
    top, left = square.top, square.left
    assert (shown == numbers[top : top + 78, left : left + 78]).all()
    assert left <= at[0] and left + 78 >= at[0] + 60
    assert top <= at[1] and top + 78 >= at[1] + 60


@pytest.mark.parametrize("size", [64, 224])
def test_a_picture_that_is_a_face_crop_already_is_shown_once_with_a_plain_edge(size: int) -> None:
    pixels = _frame(size, size).clip(1)
    face = _face(-0.2 * size, -0.15 * size, 1.2 * size, 1.25 * size)
    side = round(1.15 * size)
    found = _cut(pixels, face, size=side, margin=1.3, edge="inside")
    edge = (side - size) // 2
    inner = found[edge : edge + size, edge : edge + size]
    assert (inner == pixels).all()
    assert np.count_nonzero(found) == np.count_nonzero(inner)


def test_a_face_that_fills_a_narrow_picture_gets_a_black_edge() -> None:
    pixels = np.full((300, 100, 3), 90, np.uint8)
    found = _cut(pixels, _face(-70, 30, 170, 270), size=276, margin=1.3, edge="inside")
    assert (found[:, 88:188] == 90).all()
    assert not found[:, :88].any() and not found[:, 188:].any()


def test_away_from_the_edge_both_ways_to_fill_it_are_one() -> None:
    pixels = _frame(200, 160)
    face = _face(70, 50, 130, 110)
    mirrored = _cut(pixels, face, size=96, margin=1.3)
    assert (mirrored == _cut(pixels, face, size=96, margin=1.3, edge="inside")).all()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_square_lies_inside_or_around_the_frame_whatever_the_box(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    left, top = data.draw(st.floats(-60, width - 1)), data.draw(st.floats(-60, height - 1))
    box = (left, top, left + data.draw(st.floats(61, 200)), top + data.draw(st.floats(61, 200)))
    config = CropConfig(size=32, margin=data.draw(st.floats(1, 3)), edge="inside")
    square = place_square(_face(*box), width=width, height=height, config=config)
    assert 1 <= square.side <= round(1.15 * max(width, height))
    for start, length in ((square.left, width), (square.top, height)):
        if square.side <= length:
            assert 0 <= start <= length - square.side
        else:
            assert start <= 0 and start + square.side >= length
    cropped = crop_face(_frame(width, height), _face(*box), config=config)
    assert cropped.pixels.shape == (32, 32, 3)
    assert np.isfinite([cropped.sharpness, cropped.brightness]).all()


def test_crops_made_before_there_was_a_choice_keep_their_digest() -> None:
    before = {"size": 256, "margin": 1.3, "codec": "jpeg", "quality": 95}
    assert CropConfig().model_dump(mode="json") == before
    assert CropConfig.model_validate(before).edge == "mirror"
    assert digest_of(CropConfig(edge="inside")) != digest_of(CropConfig())


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_landmarks_stand_on_what_they_stood_on_in_the_frame(data: st.DataObject) -> None:
    """A dot in the frame is found again in the square, at the position returned."""
    left, top = data.draw(st.floats(5, 40)), data.draw(st.floats(5, 40))
    width, height = data.draw(st.floats(30, 50)), data.draw(st.floats(30, 50))
    margin = data.draw(st.floats(1.0, 1.6))
    at = data.draw(st.tuples(st.integers(45, 60), st.integers(45, 60)))
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[at[1], at[0]] = 255
    points = ((at[0] + 0.5, at[1] + 0.5),) * 5
    face = Face((left, top, left + width, top + height), points, 1.0)
    size = 4 * round(face.size_px * margin)
    square = _cut(pixels, face, size=size, margin=margin).astype(np.float64)[..., 0]
    expected = _landmarks(face, frame=120, size=size, margin=margin)
    assume(bool(np.all((expected > 16) & (expected < size - 16))))
    rows, columns = np.indices(square.shape) + 0.5
    found = [(columns * square).sum() / square.sum(), (rows * square).sum() / square.sum()]
    np.testing.assert_allclose(expected[0], found, atol=0.25)


def test_landmarks_of_a_real_face_are_found_again_in_its_crop() -> None:
    detector = MtcnnDetector(FaceConfig())
    frame = astronaut()
    (face,) = detector.detect(frame)
    square = _cut(frame, face, size=256, margin=1.6)
    (again,) = detector.detect(square)
    expected = _landmarks(face, frame=512, size=256, margin=1.6)
    assert expected.shape == (5, 2)
    np.testing.assert_allclose(again.landmarks, expected, atol=6)


def test_landmarks_outside_of_the_square_stay_outside() -> None:
    points = ((0.0, 0.0), (100.0, 0.0), (50.0, 50.0), (0.0, 100.0), (100.0, 100.0))
    moved = _landmarks(Face((40, 40, 60, 60), points, 1.0), frame=100, size=40, margin=1.0)
    assert moved.tolist() == [[-80, -80], [120, -80], [20, 20], [-80, 120], [120, 120]]
