"""Blend a part of another real face into a real one, as a face swap does.

Source: Li et al., Face X-ray for More General Face Forgery Detection, CVPR 2020, section 3.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import DenseBlendConfig
from deepfake.training.data.region_blend import (
    draw_mask,
    lower_resolution,
    refocus,
    soften_mask,
)
from deepfake.training.data.self_blend import SelfBlend
from deepfake.types import Pixels

__all__ = ["SimilarFaces", "blend_other_face"]

Points = NDArray[np.floating[Any]]

_NUM_CANDIDATES = 200
_NUM_NEAREST = 3
"""Of the faces that are drawn, one of so many of the most similar is taken."""

_EVERY = 12
"""Faces are compared by every Nth landmark."""

_MIN_MASK_PX = 60
"""Fewest pixels of the part that is taken: with fewer its colours cannot be matched."""

_SPREAD = (0.6, 1.6)
"""How much the spread of a colour may be changed by."""

_SHIFT_LEVELS = 2.0
"""Standard deviation of what colours are off after they were matched."""

_REFOCUS_P = 0.15
"""Probability that the other face is blurred, sharpened or encoded as JPEG."""

_RATIOS = (0.75, 1.0, 1.0, 1.0)
"""Weights of the other face, equally frequent. With less, two faces would be seen."""


class SimilarFaces:
    """Finds faces of other files whose landmarks are alike.

    Args:
        dense: 468 landmarks of each row, NaN where there are none, shape (N, 468, 2).
        files: Number of the file of each row, shape (N,).
    """

    def __init__(self, dense: NDArray[np.floating[Any]], *, files: NDArray[np.int64]) -> None:
        self._rows = np.flatnonzero(~np.isnan(dense[:, 0, 0]))
        self._files = files
        points = dense[self._rows, ::_EVERY].astype(np.float32)  # (M, K, 2)
        points = points - points.mean(axis=1, keepdims=True)
        spread = np.sqrt((points**2).mean(axis=(1, 2), keepdims=True))
        self._shapes = (points / spread).reshape(len(points), -1)

    def draw(self, row: int, *, rng: np.random.Generator) -> int | None:
        """Return the row of a similar face, None where there is none of another file.

        Args:
            row: A row that has landmarks.
            rng: All that is random.
        """
        at = int(np.searchsorted(self._rows, row))
        drawn = np.unique(rng.integers(0, len(self._rows), size=_NUM_CANDIDATES))
        drawn = drawn[self._files[self._rows[drawn]] != self._files[row]]
        if not len(drawn):
            return None
        far = ((self._shapes[drawn] - self._shapes[at]) ** 2).sum(axis=1)
        nearest = drawn[np.argsort(far, kind="stable")[:_NUM_NEAREST]]
        return int(self._rows[rng.choice(nearest)])


def blend_other_face(
    square: Pixels,
    points: Points,
    *,
    other: Pixels,
    other_points: Points,
    rng: np.random.Generator,
    config: DenseBlendConfig,
) -> SelfBlend | None:
    """Return a real picture, as it is, and a fake with a part of another face in it.

    Args:
        square: RGB, shape (S, S, 3), uint8; is not changed.
        points: 468 landmarks in its pixels, shape (468, 2).
        other: The other picture, at its own resolution, RGB, uint8.
        other_points: Its 468 landmarks, shape (468, 2).
        rng: All that is random.
        config: Probabilities and ranges.

    Returns:
        None where too little of the face lies in the square.
    """
    size = square.shape[0]
    hard = draw_mask(points, size=size, rng=rng)
    inside = hard > 127
    if np.count_nonzero(inside) < _MIN_MASK_PX:
        return None
    moved = _moved(other, _similarity(other_points, points), size=size)
    source = _matched_colours(moved, square, inside=inside, rng=rng)
    change = rng.random()
    if change < config.resolution_p:
        source = lower_resolution(source, rng=rng, config=config)
    elif change < config.resolution_p + _REFOCUS_P:
        source = refocus(source, rng=rng, config=config)
    face_px = float(np.ptp(points, axis=0).max())
    mask = soften_mask(hard, face_px=face_px, rng=rng, config=config)
    weight = mask * np.float32(rng.choice(_RATIOS))
    fake = cv2.blendLinear(source, square, weight, 1.0 - weight)
    return SelfBlend(real=square, fake=np.asarray(fake, dtype=np.uint8), mask=weight)


def _similarity(source: Points, target: Points) -> NDArray[np.float64]:
    """Return the (2, 3) matrix of least squares that turns, scales and shifts points."""
    source, target = source.astype(np.float64), target.astype(np.float64)
    middle, wanted = source.mean(axis=0), target.mean(axis=0)
    x, y = (source - middle) @ (1, 1j), (target - wanted) @ (1, 1j)
    factor = (np.conj(x) * y).sum() / (np.abs(x) ** 2).sum()
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, wanted - turn @ middle])


def _moved(picture: Pixels, matrix: NDArray[np.float64], *, size: int) -> Pixels:
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 1:
        # Warping averages nothing: it would leave the aliases of a picture made smaller.
        side = max(1, round(picture.shape[0] * scale))
        matrix = matrix.copy()
        matrix[:, :2] *= picture.shape[0] / side
        picture = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))
    # Landmarks count from the edge of a pixel, OpenCV from its middle.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    warped = cv2.warpAffine(
        picture, centred, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(warped, dtype=np.uint8)


def _matched_colours(
    source: Pixels, target: Pixels, *, inside: NDArray[np.bool_], rng: np.random.Generator
) -> Pixels:
    """Give a picture mean and spread of another's colours in CIELAB, within a mask.

    Source: Reinhard et al., Color Transfer between Images, IEEE CG&A 2001.
    """
    own, wanted = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32) for picture in (source, target)
    )
    gain = (wanted[inside].std(axis=0) + 1) / (own[inside].std(axis=0) + 1)
    shift = wanted[inside].mean(axis=0) + rng.normal(0, _SHIFT_LEVELS, size=3)
    matched = (own - own[inside].mean(axis=0)) * np.clip(gain, *_SPREAD) + shift
    levels = np.clip(matched, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_LAB2RGB), dtype=np.uint8)
