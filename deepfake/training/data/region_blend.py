"""Self-blended images whose masks are drawn after 468 landmarks.

As in `self_blend` a real face is taken twice, one copy is changed in colour, then in resolution or
sharpness, and a part of one is blended over the other. Parts are more various here (from the whole
face to the nose), borders hard and soft, changes stronger.

Source: Shiohara and Yamasaki, Detecting Deepfakes with Self-Blended Images, CVPR 2022, section 3.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import DenseBlendConfig
from deepfake.media import jpeg_round_trip
from deepfake.training.data.face_regions import REGION_WEIGHTS, draw_region_mask
from deepfake.training.data.self_blend import SelfBlend
from deepfake.types import Pixels

__all__ = ["blend_region", "draw_mask", "lower_resolution", "refocus", "soften_mask"]

Mask = NDArray[np.float32]
Points = NDArray[np.floating[Any]]

_LUMINANCE = (0.299, 0.587, 0.114)
"""Source: ITU-R BT.601."""

_KERNELS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)
_REFERENCE_PX = 256
"""Side of the square whose pixels the resolutions in the settings are of."""

_NEAREST_P = 0.15
"""Probability that resolution is reduced by leaving pixels out, without averaging."""

_INNER_P = 0.5
"""Probability that the soft border lies inside the outline, as after an erosion."""


def blend_region(
    square: Pixels,
    points: Points,
    *,
    rng: np.random.Generator,
    config: DenseBlendConfig,
) -> SelfBlend:
    """Return a real picture and a fake made of it, as `draw_self_blend` does.

    Args:
        square: RGB, shape (S, S, 3), uint8; is not changed.
        points: 468 landmarks in its pixels, shape (468, 2).
        rng: All that is random.
        config: Probabilities and ranges.
    """
    size = square.shape[0]
    face_px = float(np.ptp(points, axis=0).max())
    changed = _changed(square, rng=rng, config=config)
    source, target = (changed, square) if rng.random() < config.source_p else (square, changed)
    moved = _draw_move(points, face_px=face_px, rng=rng, config=config)
    source = cv2.warpAffine(
        source, moved, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    mask = soften_mask(
        draw_mask(points, size=size, rng=rng), face_px=face_px, rng=rng, config=config
    )
    if rng.random() < config.poisson_p:
        poisson = _poisson(source, target, mask)
        if poisson is not None:
            return SelfBlend(real=target, fake=poisson, mask=mask)
    weight = mask * np.float32(rng.choice(config.ratios))
    fake = cv2.blendLinear(source, target, weight, 1.0 - weight)
    return SelfBlend(real=target, fake=np.asarray(fake, dtype=np.uint8), mask=weight)


def draw_mask(points: Points, *, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the mask of a random part of a face, 0 to 255, its border hard."""
    kind = str(rng.choice(list(REGION_WEIGHTS), p=list(REGION_WEIGHTS.values())))
    mask = draw_region_mask(points, kind=kind, height=size, width=size, rng=rng)
    # A chin that lies outside of the square would leave a fake that is its real.
    return (
        mask
        if mask.any()
        else draw_region_mask(points, kind="oval", height=size, width=size, rng=rng)
    )


def _changed(square: Pixels, *, rng: np.random.Generator, config: DenseBlendConfig) -> Pixels:
    matrix = _colour_matrix(rng, config)
    coloured = square if matrix is None else cv2.transform(square, matrix)
    is_same = matrix is None
    if rng.random() < config.resolution_p:
        coloured, is_same = lower_resolution(coloured, rng=rng, config=config), False
    elif is_same or rng.random() < config.other_p:
        coloured = refocus(coloured, rng=rng, config=config)
    if rng.random() < config.noise_p:
        coloured = _noisy(coloured, sigma=rng.uniform(*config.noise_sigma), rng=rng)
    return np.asarray(coloured, dtype=np.uint8)


def _colour_matrix(
    rng: np.random.Generator, config: DenseBlendConfig
) -> NDArray[np.float64] | None:
    """Return all changes of colour in one (3, 4) matrix, None where there is none."""
    matrix, offset, is_changed = np.eye(3), np.zeros(3), False
    if rng.random() < config.saturation_p:
        saturation = 1 + rng.uniform(-config.saturation, config.saturation)
        matrix = saturation * matrix + (1 - saturation) * np.tile(_LUMINANCE, (3, 1))
        is_changed = True
    if rng.random() < config.tone_p:
        contrast = 1 + rng.uniform(-config.contrast, config.contrast)
        # Contrast turns about mid-grey.
        offset += rng.uniform(-config.brightness, config.brightness) + 127.5 * (1 - contrast)
        matrix, is_changed = contrast * matrix, True
    if rng.random() < config.shift_p:
        offset += rng.uniform(-config.shift_levels, config.shift_levels, size=3)
        is_changed = True
    return np.column_stack([matrix, offset]) if is_changed else None


def lower_resolution(
    picture: Pixels, *, rng: np.random.Generator, config: DenseBlendConfig
) -> NDArray[np.uint8]:
    """Shrink a square and enlarge it again, by random kernels."""
    size = picture.shape[0]
    low, high = config.resolution_px
    factor = np.exp(rng.uniform(np.log(low), np.log(high))) / _REFERENCE_PX
    # A small square has lost some already.
    small = max(12, round(size * min(0.95, factor * max(1.0, _REFERENCE_PX / size) ** 0.5)))
    down, up = _KERNELS[rng.integers(1, 4)], _KERNELS[rng.integers(1, 3)]
    if rng.random() < _NEAREST_P:
        down = cv2.INTER_NEAREST
    shrunk = cv2.resize(picture, (small, small), interpolation=down)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=up), dtype=np.uint8)


def refocus(picture: Pixels, *, rng: np.random.Generator, config: DenseBlendConfig) -> Pixels:
    """Blur, sharpen, or encode as JPEG."""
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6)))
    if kind == 1:
        soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.7, 1.5))
        amount = rng.uniform(0.3, 1.5)
        return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0))
    low, high = config.jpeg_quality
    return jpeg_round_trip(picture, quality=int(rng.integers(low, high, endpoint=True)))


def _noisy(picture: Pixels, *, sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(sigma)
    return np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8)


def _draw_move(
    points: Points,
    *,
    face_px: float,
    rng: np.random.Generator,
    config: DenseBlendConfig,
) -> NDArray[np.float64]:
    """Return a shift and a scale about the face's middle as a (2, 3) matrix."""
    shift = face_px * rng.uniform(-1, 1, size=2) * config.shift_xy
    scale = float(rng.uniform(*config.scale))
    middle = points.mean(axis=0).astype(np.float64)
    return np.column_stack([scale * np.eye(2), shift + (1 - scale) * middle])


def soften_mask(
    hard: NDArray[np.uint8], *, face_px: float, rng: np.random.Generator, config: DenseBlendConfig
) -> Mask:
    """Return the mask with a soft border, 0 to 1."""
    low, high = config.soft_sigma
    sigma = face_px * np.exp(rng.uniform(np.log(low), np.log(high)))
    if rng.random() < config.hard_p:
        sigma = rng.uniform(0.4, 1.2)
    soft = cv2.GaussianBlur(hard.astype(np.float32) / 255.0, (0, 0), max(0.4, float(sigma)))
    if rng.random() < _INNER_P:
        soft = np.clip(2.0 * soft - 1.0, 0.0, 1.0)
        soft = cv2.GaussianBlur(soft, (0, 0), max(0.4, float(sigma) / 2))
    peak = float(soft.max())
    return np.asarray(soft / peak if peak > 0.05 else soft, dtype=np.float32)


def _poisson(source: Pixels, target: Pixels, mask: Mask) -> Pixels | None:
    """Return the source cloned into the target, None where its mask does not allow it."""
    inside = (mask > 0.5).astype(np.uint8) * 255
    inside[[0, 1, -2, -1]] = 0
    inside[:, [0, 1, -2, -1]] = 0
    left, top, width, height = cv2.boundingRect(inside)
    if width < 8 or height < 8:
        return None
    centre = (left + width // 2, top + height // 2)
    # It changes the mask that it is given.
    cloned = cv2.seamlessClone(source, target, inside.copy(), centre, cv2.NORMAL_CLONE)
    # It solves for the whole rectangle around the mask, and moves what should stay by a level.
    return np.where(inside[..., None] > 0, cloned, target).astype(np.uint8)
