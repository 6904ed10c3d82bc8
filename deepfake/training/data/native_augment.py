"""Augmentations at a picture's own resolution, before it is resized to the network's input.

A camera, a resizer and an encoder work on the picture that was taken. Done after the resize, their
traces would have the same size in a face of 50 pixels and in one of 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import AugmentConfig
from deepfake.media import h264_round_trip, jpeg_round_trip
from deepfake.types import Pixels

__all__ = ["augment_at_native_size", "boundary_map"]

T = TypeVar("T")

_OFFSET_LEVELS = 25.0
"""Of all channels beside their gain, at most."""

_MIN_SIDE_PX = 16
"""A picture is not made smaller than this."""

_LEAST_NOISE = 1 / 255

_SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_ENLARGING, _ENLARGING_P = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_NEAREST), (0.45, 0.45, 0.1)

_LAST_ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
_LAST_SHRINKING, _LAST_SHRINKING_P = (cv2.INTER_AREA, cv2.INTER_LINEAR), (0.75, 0.25)

_PLACES, _PLACES_P = (0.0, 0.5, 1.0), (0.2, 0.6, 0.2)
"""Where a picture stands in its black edge, on each axis, and how often."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is done to a picture, in the order of the fields; None and False for nothing."""

    is_flipped: bool
    gain: NDArray[np.float64] | None
    offset: float
    is_grey: bool
    shrink: tuple[float, int, int | None] | None
    """Factor, kernel, and the kernel that enlarges it again."""
    blur_sigma: float | None
    noise_sigma: float | None
    jpeg_quality: int | None
    crf: int | None
    edge: float
    places: tuple[float, float]
    enlarging: int
    shrinking: int
    last_quality: int | None


def augment_at_native_size(
    pixels: Pixels, seed: int, *, config: AugmentConfig, input_size: int
) -> Pixels:
    """Return a picture changed as a seed says, in the size of the network's input.

    Pictures of one seed are changed alike, whatever their sizes.

    Args:
        pixels: Shape (S, S, 3), uint8; is not changed.
        seed: Of all that is random.
        config: Probabilities and ranges.
        input_size: Side of the network's input, pixels.
    """
    drawn = _draw(config, np.random.default_rng([seed, 3]))
    changed = pixels[:, ::-1] if drawn.is_flipped else pixels
    changed = _resampled(_coloured(np.ascontiguousarray(changed), drawn), drawn)
    if drawn.blur_sigma is not None:
        changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), drawn.blur_sigma), np.uint8)
    if drawn.noise_sigma is not None:
        noise = np.random.default_rng([seed, 4]).standard_normal(changed.shape, dtype=np.float32)
        noisy = changed + noise * np.float32(255 * drawn.noise_sigma) + np.float32(0.5)
        changed = np.clip(noisy, 0, 255).astype(np.uint8)
    if drawn.jpeg_quality is not None:
        changed = jpeg_round_trip(changed, quality=drawn.jpeg_quality)
    if drawn.crf is not None:
        changed = h264_round_trip(changed, crf=drawn.crf)
    inner = _inner_side(drawn, input_size)
    kernel = drawn.enlarging if changed.shape[0] < inner else drawn.shrinking
    shown = np.asarray(cv2.resize(changed, (inner, inner), interpolation=kernel), np.uint8)
    if drawn.last_quality is not None:
        shown = jpeg_round_trip(shown, quality=drawn.last_quality)
    return np.asarray(_with_edge(shown, drawn, size=input_size), dtype=np.uint8)


def boundary_map(
    mask: NDArray[np.float32],
    *,
    side: int,
    config: AugmentConfig | None,
    seed: int,
    input_size: int,
) -> NDArray[np.float32]:
    """Return the blending boundary 4m(1 - m) of a mask, moved as the picture of the seed is.

    Source: Li et al., Face X-ray for More General Face Forgery Detection, CVPR 2020, equation 2.

    Args:
        mask: Weight of what was blended in, 0 to 1, shape (S, S).
        side: Of the map.
        config: Augmentation of the picture, its resize last; None for none.
        seed: Of the picture's augmentation.
        input_size: Side of the network's input, pixels.
    """
    moved = np.asarray(mask, dtype=np.float32)
    drawn = None if config is None else _draw(config, np.random.default_rng([seed, 3]))
    if drawn is not None and drawn.is_flipped:
        moved = np.ascontiguousarray(moved[:, ::-1])
    inner = input_size if drawn is None else _inner_side(drawn, input_size)
    moved = np.asarray(cv2.resize(moved, (inner, inner), interpolation=cv2.INTER_AREA), np.float32)
    if drawn is not None:
        moved = _with_edge(moved, drawn, size=input_size)
    boundary = np.clip(4.0 * moved * (1.0 - moved), 0.0, 1.0)
    return np.asarray(cv2.resize(boundary, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _draw(config: AugmentConfig, rng: np.random.Generator) -> _Drawn:
    # Everything is drawn, whether or not it is done, so that no draw depends on another.
    def happens(probability: float) -> bool:
        return bool(rng.random() < probability)

    has_gain, gain, offset = happens(config.color_p), _draw_gain(config, rng), rng.uniform(-1, 1)
    has_shrink, shrink = happens(config.downscale_p), _draw_shrink(config, rng)
    return _Drawn(
        is_flipped=happens(config.flip_p),
        gain=gain if has_gain else None,
        offset=float(offset) * _OFFSET_LEVELS,
        is_grey=happens(config.grey_p),
        shrink=shrink if has_shrink else None,
        blur_sigma=_if(happens(config.blur_p), float(rng.uniform(*config.blur_sigma))),
        noise_sigma=_if(
            happens(config.noise_p),
            float(rng.uniform(min(_LEAST_NOISE, config.noise_sigma), config.noise_sigma)),
        ),
        jpeg_quality=_if(happens(config.jpeg_p), _whole(config.jpeg_quality, rng)),
        crf=_if(happens(config.h264_p), _whole(config.h264_crf, rng)),
        edge=_if(happens(config.black_edge_p), float(rng.uniform(*config.black_edge))) or 0.0,
        places=(float(rng.choice(_PLACES, p=_PLACES_P)), float(rng.choice(_PLACES, p=_PLACES_P))),
        enlarging=int(rng.choice(_LAST_ENLARGING)),
        shrinking=int(rng.choice(_LAST_SHRINKING, p=_LAST_SHRINKING_P)),
        last_quality=_if(happens(config.last_jpeg_p), _whole(config.last_jpeg_quality, rng)),
    )


def _if(is_done: bool, value: T) -> T | None:
    return value if is_done else None


def _whole(ends: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(*ends, endpoint=True))


def _draw_gain(config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a gain of all channels, in half of the cases of each on its own."""
    strength = config.color_strength
    own = rng.uniform(1 - strength, 1 + strength, size=3)
    is_own = rng.random() < 0.5
    return own * rng.uniform(0.9, 1.1) if is_own else np.full(3, own[0])


def _draw_shrink(config: AugmentConfig, rng: np.random.Generator) -> tuple[float, int, int | None]:
    factor, down = float(rng.uniform(*config.downscale_range)), int(rng.choice(_SHRINKING))
    up = int(rng.choice(_ENLARGING, p=_ENLARGING_P))
    is_kept_small = rng.random() < config.keep_small_p
    if config.downscale_kernels == "smooth":
        down, up = cv2.INTER_AREA, cv2.INTER_CUBIC
    return factor, down, None if is_kept_small else up


def _coloured(pixels: Pixels, drawn: _Drawn) -> Pixels:
    changed = pixels
    if drawn.gain is not None:
        levels = np.arange(256)[:, None] * drawn.gain + drawn.offset
        table = np.clip(levels, 0, 255).astype(np.uint8).reshape(256, 1, 3)
        changed = np.asarray(cv2.LUT(changed, table), dtype=np.uint8)
    if drawn.is_grey:
        grey = cv2.cvtColor(changed, cv2.COLOR_RGB2GRAY)
        changed = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    return changed


def _resampled(pixels: Pixels, drawn: _Drawn) -> Pixels:
    if drawn.shrink is None:
        return pixels
    factor, down, up = drawn.shrink
    side = pixels.shape[0]
    small = max(min(side, _MIN_SIDE_PX), int(side * factor))
    shrunk = cv2.resize(pixels, (small, small), interpolation=down)
    if up is not None:
        shrunk = cv2.resize(shrunk, (side, side), interpolation=up)
    return np.asarray(shrunk, dtype=np.uint8)


def _inner_side(drawn: _Drawn, size: int) -> int:
    return round(size / (1 + drawn.edge))


def _with_edge(pixels: NDArray[Any], drawn: _Drawn, *, size: int) -> NDArray[Any]:
    inner = pixels.shape[0]
    if inner == size:
        return pixels
    whole = np.zeros((size, size, *pixels.shape[2:]), dtype=pixels.dtype)
    left, top = (int(place * (size - inner)) for place in drawn.places)
    whole[top : top + inner, left : left + inner] = pixels
    return whole
