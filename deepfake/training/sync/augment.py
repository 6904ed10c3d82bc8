"""Augmentation of runs: what happens to lips and their sound between a camera and a file.

All pictures of a run are changed alike, so that a change is no movement of lips; the speed of
pictures and sound changes alike, so that they stay together.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from deepfake.config import MouthAugmentConfig, SyncTrainConfig
from deepfake.detectors.sync.windows import FPS
from deepfake.media.compression import jpeg_round_trip
from deepfake.media.sound import SAMPLE_RATE
from deepfake.training.voice.augment import augment_sound
from deepfake.types import MouthRun

__all__ = ["SpokenPart", "augment_mouths", "augment_part", "spoken_part"]

_SPEED_STEPS = 200
"""Factors of speed are whole multiples of the inverse of this."""

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SpokenPart:
    """The mouths of a run and the sound of just their time.

    Attributes:
        mouths: Shape (T, S, S), uint8.
        samples: Shape (640 T,), float32.
        sound_span: As of `MouthRun`.
    """

    mouths: NDArray[np.uint8]
    samples: NDArray[np.float32]
    sound_span: tuple[int, int]


def spoken_part(run: MouthRun) -> SpokenPart:
    """Return the mouths of a run with the sound of their time, without that before and after."""
    num = round(len(run.mouths) / FPS * SAMPLE_RATE)
    lead = (len(run.samples) - num) // 2
    begin, end = (min(max(at - lead, 0), num) for at in run.sound_span)
    return SpokenPart(run.mouths, run.samples[lead : lead + num], (begin, end))


def augment_part(
    part: SpokenPart, *, config: SyncTrainConfig, rng: np.random.Generator
) -> SpokenPart:
    """Return a part changed at random: the speed of both, then the pictures, then the sound.

    Args:
        part: It is not changed.
        config: Ranges and probabilities.
        rng: Of all that is random.
    """
    played = _at_speed(part, float(rng.uniform(*config.speed)))
    return SpokenPart(
        mouths=augment_mouths(played.mouths, config=config.mouths, rng=rng),
        samples=augment_sound(played.samples, config=config.sound, rng=rng),
        sound_span=played.sound_span,
    )


def _at_speed(part: SpokenPart, speed: float) -> SpokenPart:
    steps = round(_SPEED_STEPS * speed)
    factor = steps / _SPEED_STEPS
    num = int(len(part.mouths) / factor)
    # The nearest picture stands, as where files have another frame rate.
    rows = np.minimum(np.round(np.arange(num) * factor).astype(int), len(part.mouths) - 1)
    samples = resample_poly(part.samples, _SPEED_STEPS, steps).astype(np.float32)
    num_samples = round(num / FPS * SAMPLE_RATE)
    begin, end = (min(round(at / factor), num_samples) for at in part.sound_span)
    return SpokenPart(part.mouths[rows], samples[:num_samples], (begin, end))


def augment_mouths(
    mouths: Pictures, *, config: MouthAugmentConfig, rng: np.random.Generator
) -> Pictures:
    """Return mouths changed at random, all alike but for their noise.

    Args:
        mouths: Shape (T, S, S), uint8; they are not changed.
        config: Ranges and probabilities.
        rng: Of all that is random.

    Returns:
        Shape (T, S, S), uint8.
    """
    if not config.is_enabled or not len(mouths):
        return mouths.copy()
    side = mouths.shape[1]
    warp = _draw_warp(config, rng, side=side)
    table = _draw_greys(config, rng)
    blur = float(rng.uniform(*config.blur_px)) if rng.random() < config.blur_p else 0.0
    small = int(rng.integers(*config.resolution_px, endpoint=True))
    small = small if rng.random() < config.low_resolution_p else 0
    quality = int(rng.integers(*config.jpeg_quality, endpoint=True))
    quality = quality if rng.random() < config.jpeg_p else 0
    changed = [
        _compressed(_coarser(_warped(one, warp), blur=blur, small=small), quality=quality)
        for one in mouths
    ]
    return _with_noise(table[np.stack(changed)], config, rng)


def _draw_warp(
    config: MouthAugmentConfig, rng: np.random.Generator, *, side: int
) -> NDArray[np.float64]:
    """Return the matrix (2, 3) that takes places of a mouth to those of the changed one."""
    angle = np.deg2rad(rng.uniform(-config.rotation_degrees, config.rotation_degrees))
    low, high = np.log(config.scale)
    size = np.exp(rng.uniform(low, high))
    tall = 1 + rng.uniform(-config.stretch, config.stretch)
    mirror = -1.0 if rng.random() < config.flip_p else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = size * turn @ np.diag([mirror, tall])
    centre = np.full(2, (side - 1) / 2)
    shift = rng.uniform(-config.shift, config.shift, size=2) * side
    return np.column_stack([matrix, centre + shift - matrix @ centre])


def _warped(mouth: Pictures, matrix: NDArray[np.float64]) -> Pictures:
    side = mouth.shape[0]
    moved = cv2.warpAffine(mouth, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def _draw_greys(config: MouthAugmentConfig, rng: np.random.Generator) -> Pictures:
    """Return the new grey level of each, shape (256,)."""
    gamma, contrast = (
        np.exp(rng.uniform(*np.log(bounds))) for bounds in (config.gamma, config.contrast)
    )
    levels = 255 * (np.arange(256) / 255) ** gamma
    levels = (levels - 127.5) * contrast + 127.5
    levels += rng.uniform(-config.brightness, config.brightness)
    return np.asarray(levels.clip(0, 255).round(), np.uint8)


def _coarser(mouth: Pictures, *, blur: float, small: int) -> Pictures:
    side = mouth.shape[0]
    if blur:
        mouth = np.asarray(cv2.GaussianBlur(mouth, (0, 0), blur), np.uint8)
    if small and small < side:
        shrunk = cv2.resize(mouth, (small, small), interpolation=cv2.INTER_AREA)
        mouth = np.asarray(cv2.resize(shrunk, (side, side)), np.uint8)
    return mouth


def _compressed(mouth: Pictures, *, quality: int) -> Pictures:
    if not quality:
        return mouth
    coloured = np.repeat(mouth[:, :, None], 3, axis=2)
    return np.ascontiguousarray(jpeg_round_trip(coloured, quality=quality)[:, :, 1])


def _with_noise(mouths: Pictures, config: MouthAugmentConfig, rng: np.random.Generator) -> Pictures:
    deviation = float(rng.uniform(*config.noise))
    if rng.random() >= config.noise_p:
        return mouths
    noise = rng.standard_normal(mouths.shape, dtype=np.float32) * np.float32(deviation)
    return np.asarray((mouths + noise).clip(0, 255), np.uint8)
