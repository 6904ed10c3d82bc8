"""Draw masks of parts of a face after its 468 landmarks: what a fake may have replaced.

Numbers are those of MediaPipe's face mesh.
Source: google-ai-edge/mediapipe, mediapipe/python/solutions/face_mesh_connections.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["REGION_WEIGHTS", "draw_region_mask"]

Points = NDArray[np.floating[Any]]

# fmt: off
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
         152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
_JAW = (454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58,
        132, 93, 234)
_TEMPLES = (389, 356, 127, 162)
_RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
_LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
_RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
_LEFT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 129, 358, 49, 279, 48, 278, 64,
         294, 193, 417)
_LOWER_TOP = (4, 205, 425, 50, 280)
# fmt: on

_PARTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "oval": (_OVAL,),
    "brows_to_jaw": (_JAW + _TEMPLES + _RIGHT_BROW + _LEFT_BROW,),
    "inner_face": (_RIGHT_BROW + _LEFT_BROW + _RIGHT_EYE + _LEFT_EYE + _NOSE + _LIPS,),
    "lower_face": (_JAW + _LOWER_TOP,),
    "mouth": (_LIPS,),
    "eyes": (_RIGHT_BROW + _RIGHT_EYE, _LEFT_BROW + _LEFT_EYE),
    "nose": (_NOSE,),
    "eyes_and_mouth": (_RIGHT_EYE + _LEFT_EYE + _LIPS,),
}

_GROWTH: dict[str, tuple[float, float]] = {
    "oval": (0.88, 1.08),
    "brows_to_jaw": (0.88, 1.08),
    "inner_face": (0.95, 1.25),
    "lower_face": (0.88, 1.08),
    "mouth": (1.2, 2.0),
    "eyes": (1.1, 1.5),
    "nose": (1.05, 1.4),
    "eyes_and_mouth": (1.0, 1.3),
}
"""How many times as large as the hull of its landmarks an outline is drawn."""

REGION_WEIGHTS: dict[str, float] = {
    "oval": 0.25,
    "brows_to_jaw": 0.2,
    "inner_face": 0.15,
    "lower_face": 0.1,
    "mouth": 0.08,
    "eyes": 0.05,
    "nose": 0.03,
    "eyes_and_mouth": 0.07,
    "several": 0.07,
}
"""How often each kind is drawn; `several` joins two or three of the small ones."""

_SMALL = ("mouth", "eyes", "nose", "lower_face")

_VERTEX_JITTER = 0.06
"""Sigma of how far a vertex goes in or out, over its distance from the middle; neighbours go
alike."""

_SUBPIXEL_BITS = 4


def draw_region_mask(
    points: Points, *, kind: str, height: int, width: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a hard mask of a part of a face, its outline a little irregular.

    Args:
        points: 468 landmarks in the picture's pixels, shape (468, 2); coordinates of edges.
        kind: One of `REGION_WEIGHTS`.
        height: Of the mask, pixels.
        width: Of the mask, pixels.
        rng: All that is random.

    Returns:
        255 inside, 0 outside, shape (height, width).
    """
    mask = np.zeros((height, width), dtype=np.uint8)
    for name in _names(kind, rng=rng):
        growth = rng.uniform(*_GROWTH[name])
        for part in _PARTS[name]:
            _fill(mask, _outline(points, part, growth=growth, rng=rng))
    return mask


def _names(kind: str, *, rng: np.random.Generator) -> Sequence[str]:
    if kind != "several":
        return (kind,)
    return [str(name) for name in rng.choice(_SMALL, size=int(rng.integers(2, 4)), replace=False)]


def _outline(
    points: Points, part: tuple[int, ...], *, growth: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the hull of some points, grown and moved a little, shape (N, 2)."""
    hull = cv2.convexHull(points[list(part)].astype(np.float32))[:, 0]  # (N, 1, 2) -> (N, 2)
    middle = hull.mean(axis=0)
    noise = rng.normal(0.0, _VERTEX_JITTER, size=len(hull))
    smooth = (noise + np.roll(noise, 1) + np.roll(noise, -1)) / np.sqrt(3.0)
    grown = middle + (hull - middle) * (growth + smooth)[:, None]
    return np.asarray(grown, dtype=np.float32)


def _fill(mask: NDArray[np.uint8], outline: NDArray[np.float32]) -> None:
    # Landmarks count from the edge of a pixel, OpenCV from its middle.
    fixed = np.round((outline - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
