"""Self-blended images: fakes made of one real face, which differ from it by blending alone.

A real face is taken twice. One copy is changed a little in colour and sharpness, and the first is
pasted over the second through a soft mask. What remains to learn is what every face swap leaves: a
border, and two sides that do not quite match.

Source: Shiohara and Yamasaki, Detecting Deepfakes with Self-Blended Images, CVPR 2022, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepfake.config import SelfBlendConfig
from deepfake.errors import DataError
from deepfake.types import Pixels

__all__ = ["HULLS", "SelfBlend", "are_usable_landmarks", "draw_self_blend", "self_blend"]

Points = NDArray[np.float64]

_REFERENCE_PX = 256
"""Side of the square whose pixels the settings are in."""

_MIN_HEIGHT = 0.1
"""Eyes and mouth of a face that fills its square are farther apart than this share of its side."""

_MIN_BREADTH = 0.15
"""Landmarks spread at least so far across the axis from eyes to mouth, over its length."""

_MAX_OUTSIDE = 0.5
"""How far a landmark may lie outside of the square, over its side; reflected borders have faces."""

_MIN_EYES = 0.7
"""Eyes over their distance from the mouth, at least: a head that is turned away is not narrower."""

_TURN = 0.6
"""How much farther the outline reaches on the side that the nose points away from, an eye distance
of the nose's shift each."""

_TRUE_ONE = 1 - 1e-3
"""A blurred mask is 1 up to the rounding of the kernel's weights."""

_LUMINANCE = (0.299, 0.587, 0.114)
"""Source: ITU-R BT.601."""

_SUBPIXEL_BITS = 4

HULLS: dict[str, tuple[tuple[float, float], ...]] = {
    "whole_face": (
        (-0.45, -0.75),
        (-0.95, -0.40),
        (-1.05, 0.20),
        (-0.95, 0.80),
        (-0.70, 1.30),
        (-0.30, 1.65),
        (0.30, 1.65),
        (0.70, 1.30),
        (0.95, 0.80),
        (1.05, 0.20),
        (0.95, -0.40),
        (0.45, -0.75),
    ),
    "lower_face": (
        (-0.20, 0.10),
        (-0.95, 0.45),
        (-0.95, 0.80),
        (-0.70, 1.30),
        (-0.30, 1.65),
        (0.30, 1.65),
        (0.70, 1.30),
        (0.95, 0.80),
        (0.95, 0.45),
        (0.20, 0.10),
    ),
    "eyes_and_mouth": (
        (-0.50, -0.35),
        (-0.85, -0.20),
        (-0.85, 0.20),
        (-0.55, 0.95),
        (-0.35, 1.30),
        (0.35, 1.30),
        (0.55, 0.95),
        (0.85, 0.20),
        (0.85, -0.20),
        (0.50, -0.35),
    ),
}
"""Outlines of a face by what they hold: x in eye distances from the face's axis, y in distances
from eyes to mouth, from the eyes downwards. Pupils stand 63 mm apart on average, cheekbones 135,
chin 115 and hairline 60 from the line of the pupils, the mouth 65 to 70."""


@dataclass(frozen=True, slots=True)
class SelfBlend:
    """A pair that differs by blending alone.

    Attributes:
        real: The target, RGB, shape (S, S, 3), uint8.
        fake: The source blended over it; equal to `real` wherever `mask` is 0.
        mask: Weight of the source, shape (S, S), float32, 0 to 1.
    """

    real: Pixels
    fake: Pixels
    mask: NDArray[np.float32]


def self_blend(
    square: Pixels, landmarks: ArrayLike, *, rng: np.random.Generator, config: SelfBlendConfig
) -> tuple[Pixels, Pixels]:
    """Return a real picture and a fake made of it.

    The real one is not always the square itself: the changes of colour and sharpness are made to
    the source or to the target, so that they alone tell nothing.

    Args:
        square: RGB, shape (S, S, 3), uint8; is not changed.
        landmarks: Eyes, nose, mouth corners in its pixels, five (x, y).
        rng: All that is random.
        config: Ranges and probabilities.

    Returns:
        Real and fake, each of the square's shape, uint8.

    Raises:
        DataError: The landmarks are not those of a face in the square, or it is no square.
    """
    pair = draw_self_blend(square, landmarks, rng=rng, config=config)
    return pair.real, pair.fake


def draw_self_blend(
    square: Pixels, landmarks: ArrayLike, *, rng: np.random.Generator, config: SelfBlendConfig
) -> SelfBlend:
    """Return what `self_blend` does, and the mask; arguments and errors as there."""
    points = _checked(square, landmarks)
    size = square.shape[0]
    changed = _changed(square, rng=rng, config=config)
    source, target = (changed, square) if rng.random() < config.source_p else (square, changed)
    moved = _random_move(size, rng=rng, config=config)
    mask = _soft_mask(_random_hull(points, rng=rng, config=config), moved, size, rng, config)
    source = cv2.warpAffine(
        source, moved, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    # It rounds, so that what has no weight stays to the last bit.
    fake = cv2.blendLinear(source, target, mask, 1.0 - mask)
    return SelfBlend(real=target, fake=np.asarray(fake, dtype=np.uint8), mask=mask)


def are_usable_landmarks(landmarks: ArrayLike, *, size: int) -> bool:
    """Return whether five landmarks are those of a face in a square.

    Args:
        landmarks: Five (x, y) in the square's pixels.
        size: Side of the square, pixels.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        return False
    middle = points.mean(axis=0)
    is_inside = bool(np.all((middle >= 0) & (middle <= size)))
    reach = _MAX_OUTSIDE * size
    is_near = bool(np.all((points >= -reach) & (points <= size + reach)))
    down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    height = float(np.hypot(*down))
    # Five points of one line have no breadth; a profile has at least its nose beside the axis.
    breadth = np.ptp(points @ (down[1], -down[0])) / max(height, 1e-9)
    is_spread = height >= _MIN_HEIGHT * size and breadth >= _MIN_BREADTH * height
    return is_inside and is_near and bool(is_spread)


def _checked(square: Pixels, landmarks: ArrayLike) -> Points:
    if square.ndim != 3 or square.shape[0] != square.shape[1] or square.shape[2] != 3:
        raise DataError(f"self-blending takes RGB squares (S, S, 3), got {square.shape}")
    size = square.shape[0]
    if not are_usable_landmarks(landmarks, size=size):
        points = np.asarray(landmarks, dtype=np.float64).round(1).tolist()
        raise DataError(
            f"the landmarks {points} are not those of a face in a square of {size} pixels",
            hint="Eyes, nose and mouth corners, apart from each other, in the square's own pixels.",
        )
    return np.asarray(landmarks, dtype=np.float64)


def _changed(square: Pixels, *, rng: np.random.Generator, config: SelfBlendConfig) -> Pixels:
    """Change colour, then resolution or sharpness."""
    coloured = cv2.transform(square, _colour_matrix(rng, config))
    if rng.random() < config.downscale_p:
        return _lowered(coloured, factor=int(rng.choice(config.downscale_factors)))
    weight = rng.uniform(*config.sharpen)
    kernel = np.full((3, 3), -weight)
    kernel[1, 1] = 1 + 8 * weight
    return np.asarray(cv2.filter2D(coloured, -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def _colour_matrix(rng: np.random.Generator, config: SelfBlendConfig) -> NDArray[np.float64]:
    """Return all changes of colour in one (3, 4) matrix: each is linear in the channels."""
    saturation = 1 + rng.uniform(-config.saturation, config.saturation)
    value = 1 + rng.uniform(-config.value, config.value)
    contrast = 1 + rng.uniform(-config.contrast, config.contrast)
    offset = np.full(3, 255 * rng.uniform(-config.brightness, config.brightness))
    # Contrast turns about mid-grey.
    offset += 127.5 * (1 - contrast)
    if rng.random() < config.shift_p:
        offset += rng.uniform(-config.shift_levels, config.shift_levels, size=3)
    grey = np.tile(_LUMINANCE, (3, 1))
    mixed = saturation * np.eye(3) + (1 - saturation) * grey
    return np.column_stack([contrast * value * mixed, offset])


def _lowered(picture: Pixels, *, factor: int) -> Pixels:
    size = picture.shape[0]
    small = max(1, size // factor)
    shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_NEAREST)
    grown = cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, dtype=np.uint8)


def _random_hull(points: Points, *, rng: np.random.Generator, config: SelfBlendConfig) -> Points:
    """Return the vertices of a face-shaped outline, shape (N, 2), in the square's pixels."""
    names = sorted(HULLS)
    template = np.array(HULLS[names[rng.integers(len(names))]])
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    height = float(np.hypot(*down))
    # To the picture's right for a face that stands upright.
    across = np.array([down[1], -down[0]]) / height
    width = max(abs(float((points[1] - points[0]) @ across)), _MIN_EYES * height)
    turn = float(np.clip((points[2] - eyes) @ across / width, -0.7, 0.7))
    x = template[:, 0] * (1 - _TURN * turn * np.sign(template[:, 0]))
    outline = eyes + width * x[:, None] * across + template[:, 1:] * down
    middle = points.mean(axis=0)
    factors = 1 + rng.uniform(-config.jitter, config.jitter, size=(len(outline), 1))
    # The nose stays inside, however far the head is turned.
    return np.vstack([middle + factors * (outline - middle), points[2]])


def _random_move(
    size: int, *, rng: np.random.Generator, config: SelfBlendConfig
) -> NDArray[np.float64]:
    """Return a shift and a scale about the square's middle as a (2, 3) matrix."""
    shift = size * rng.uniform(-1, 1, size=2) * config.shift_xy
    scale = np.exp(rng.uniform(-1, 1) * np.log(config.min_scale))
    return np.column_stack([scale * np.eye(2), shift + (1 - scale) * size / 2])


def _soft_mask(
    hull: Points,
    moved: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
    config: SelfBlendConfig,
) -> NDArray[np.float32]:
    """Fill a hull that moves with the source, deform it, and soften its border inwards."""
    hard = _deformed(_filled(hull @ moved[:, :2].T + moved[:, 2], size=size), rng, config)
    first, second = (_random_kernel(size, rng, config) for _ in range(2))
    blurred = cv2.GaussianBlur(hard, (first, first), 0)
    inner = np.where(blurred < _TRUE_ONE, np.float32(0), np.float32(1))
    sigma = rng.uniform(*config.blur_sigma) * size / _REFERENCE_PX
    # A hull that is thinner than the kernel would vanish, and a real would be called fake.
    kept = inner if inner.any() else blurred
    soft = cv2.GaussianBlur(kept, (second, second), sigma)
    return np.asarray(soft * np.float32(rng.choice(config.ratios)), dtype=np.float32)


def _filled(hull: Points, *, size: int) -> NDArray[np.float32]:
    mask = np.zeros((size, size), dtype=np.uint8)
    # Landmarks count from the edge of a pixel, OpenCV from its middle.
    fixed = np.round((hull - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    convex = cv2.convexHull(fixed)
    cv2.fillConvexPoly(mask, convex, 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return mask.astype(np.float32) / np.float32(255)


def _random_kernel(size: int, rng: np.random.Generator, config: SelfBlendConfig) -> int:
    low, high = config.blur_kernel
    drawn = rng.integers(low // 2, high // 2, endpoint=True)
    return 2 * max(1, round(float(drawn) * size / _REFERENCE_PX)) + 1


def _deformed(
    mask: NDArray[np.float32], rng: np.random.Generator, config: SelfBlendConfig
) -> NDArray[np.float32]:
    """Displace a mask by a smooth random field (Simard et al., ICDAR 2003)."""
    if config.elastic_strength == 0:
        return mask
    size = mask.shape[0]
    ratio = size / _REFERENCE_PX
    # A field that smooth is drawn on a coarser grid: noise of as much less sigma smoothed less has
    # the same amplitude once it is divided by the step.
    step = max(1, int(config.elastic_smoothness * ratio / 2))
    coarse = -(-size // step)
    noise = rng.random((coarse, coarse, 2), dtype=np.float32) * 2 - 1
    field = cv2.GaussianBlur(noise, (0, 0), config.elastic_smoothness * ratio / step)
    field = cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR)
    # Pixels: smoothing over fewer of them averages less away, hence twice the ratio.
    field *= np.float32(config.elastic_strength * ratio**2 / step)
    grid = np.arange(size, dtype=np.float32)
    across, down = field[..., 0] + grid, field[..., 1] + grid[:, None]
    return np.asarray(cv2.remap(mask, across, down, cv2.INTER_LINEAR), dtype=np.float32)
