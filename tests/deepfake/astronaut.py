"""A face that everybody has: scikit-image's astronaut (NASA, public domain), read from its file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.media import read_image

__all__ = ["FACE_BOX", "astronaut_pixels", "astronaut_portrait", "crowd"]

FACE_BOX = (175.0, 60.0, 272.0, 178.0)
"""Where the face is, give or take."""


def astronaut_pixels() -> NDArray[np.uint8]:
    """Return the picture, (512, 512, 3) RGB, or skip."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-image is not installed: pip install '.[demo]'")
    path = Path(spec.origin).parent / "data" / "astronaut.png"
    return read_image(path, limits=MediaLimits()).pixels


def astronaut_portrait(side: int = 160) -> NDArray[np.uint8]:
    """Return head and shoulders, square."""
    portrait = astronaut_pixels()[10:230, 110:330]
    return np.asarray(cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def crowd(rows: int, columns: int) -> NDArray[np.uint8]:
    """Return as many portraits side by side."""
    return np.tile(astronaut_portrait(), (rows, columns, 1))
