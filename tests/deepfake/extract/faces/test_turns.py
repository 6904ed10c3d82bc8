"""By how much a picture is turned, and where its boxes lie before and after."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake.extract.faces import find_turn, turn_box, turn_frame
from deepfake.types import Face, Frame


def _frame() -> Frame:
    return Frame(np.zeros((60, 40, 3), np.uint8), 0.0, 0)


def _face(confidence: float, *, tilt: float = 0.0) -> Face:
    # Eyes, nose and mouth corners around (20, 20), turned about it.
    points = np.array([(-5, -5), (5, -5), (0, 0), (-4, 6), (4, 6)], dtype=float)
    angle = np.radians(tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = tuple((float(x), float(y)) for x, y in points @ turn.T + 20)
    return Face((10.0, 10.0, 30.0, 30.0), landmarks, confidence)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, -90])
def test_a_box_turns_with_its_picture(degrees: int) -> None:
    frame = _frame()
    frame.pixels[5:20, 10:18] = 255
    box = turn_box((10, 5, 18, 20), degrees, width=40, height=60)
    rows, columns = np.nonzero(turn_frame(frame, degrees).pixels[..., 0])
    assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_there_and_back_is_where_it_was() -> None:
    for degrees in (90, 180, 270):
        there = turn_box((1, 2, 3, 5), degrees, width=40, height=60)
        size = (60, 40) if degrees % 180 else (40, 60)
        assert turn_box(there, -degrees, width=size[0], height=size[1]) == (1, 2, 3, 5)


@pytest.mark.parametrize(
    ("shown", "in_turns", "expected"),
    [
        ([], {270: _face(0.99)}, 270),
        ([], {270: _face(0.93)}, 0),
        ([], {}, 0),
        ([_face(0.95)], {90: _face(0.999)}, 90),
        ([_face(0.99)], {90: _face(0.995)}, 0),
        ([_face(0.999)], {90: _face(1.0)}, 0),
        ([_face(1.0, tilt=80)], {90: _face(0.999)}, 90),
        ([_face(0.97, tilt=20)], {180: _face(0.999, tilt=90)}, 0),
        ([], {90: _face(0.96), 180: _face(0.99)}, 180),
    ],
    ids=[
        "lost as shown", "too unsure", "nobody", "far surer when turned", "hardly surer",
        "sure as shown", "lies on its side as shown", "lies on its side when turned", "the surest",
    ],
)  # fmt: skip
def test_a_turn_is_taken_where_it_shows_a_far_surer_upright_face(
    shown: list[Face], in_turns: dict[int, Face], expected: int
) -> None:
    frame = _frame()
    frame.pixels[0, 0] = 255
    corners = {
        turn_frame(frame, degrees).pixels.tobytes(): [face] for degrees, face in in_turns.items()
    }
    found = find_turn([frame], [shown], detect=lambda px: corners.get(px.tobytes(), []))
    assert found == expected
