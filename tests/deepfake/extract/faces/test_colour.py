"""How much colour a crop has."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from deepfake.extract.faces import spread_of_colour
from deepfake.media import jpeg_round_trip
from tests.sample_data import astronaut


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


@pytest.mark.parametrize("quality", [30, 90])
def test_a_grey_picture_has_none_also_when_compressed(quality: int) -> None:
    face = np.ascontiguousarray(astronaut()[20:236, 116:332])
    assert spread_of_colour(jpeg_round_trip(_grey(face), quality=quality)) < 0.3
    assert spread_of_colour(jpeg_round_trip(face, quality=quality)) > 3


def test_a_tint_is_no_colour_and_a_weak_colour_is() -> None:
    face = np.ascontiguousarray(astronaut()[20:236, 116:332])
    tinted = np.round(_grey(face) * np.array([1.0, 0.9, 0.7])).astype(np.uint8)
    assert spread_of_colour(tinted) < 0.5
    weak = np.round(_grey(face) + 0.2 * (face.astype(float) - _grey(face))).astype(np.uint8)
    assert spread_of_colour(weak) > 0.5
