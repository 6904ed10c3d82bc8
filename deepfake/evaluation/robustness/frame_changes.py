"""Change a frame as happens to media on their way: colours, filters, screens, frames, turns.

Each function takes pixels, (H, W, 3) RGB uint8, a strength in the unit that its docstring names,
and a generator for what is random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.media import jpeg_round_trip
from deepfake.types import Pixels

__all__ = ["FRAME_CHANGES"]

FrameChange = Callable[[Pixels, float, np.random.Generator], Pixels]

_BEAUTY_SIGMA = 30.0
"""Levels of 255 that the bilateral filter evens out: skin, and not the edges of eyes and mouth."""

_MESSENGER_QUALITY = (60, 80)
_MESSENGER_FACTOR = (0.8, 1.0)
"""JPEG quality and factor of the side, each time that a picture is sent on; messengers and social
networks take such values. Ours, not measured on any of them."""

_PIXEL_PX = 3
"""Pixels of the photograph for one of the screen: its grid shows as moiré."""

_LEAST_SIDE_PX = 16


def _jpeg(pixels: Pixels, quality: float, _: np.random.Generator) -> Pixels:
    """Compress as JPEG; the strength is the quality."""
    return jpeg_round_trip(pixels, quality=int(quality))


def _resize(pixels: Pixels, factor: float, _: np.random.Generator) -> Pixels:
    """Shrink by a factor of the side."""
    size = [max(8, round(side * factor)) for side in (pixels.shape[1], pixels.shape[0])]
    return _as_pixels(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _blur(pixels: Pixels, sigma: float, _: np.random.Generator) -> Pixels:
    """Blur; the strength is sigma in pixels."""
    return _as_pixels(cv2.GaussianBlur(pixels, (0, 0), sigma))


def _noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Add noise; the strength is sigma of 255 levels."""
    return _as_pixels(pixels + rng.normal(0.0, sigma, size=pixels.shape))


def _brightness(pixels: Pixels, factor: float, _: np.random.Generator) -> Pixels:
    """Make darker or brighter by a factor."""
    return _as_pixels(pixels * factor)


def _grey(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Take a share of the colour away; 1 leaves a grey picture."""
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float64)
    return _as_pixels(pixels + share * (luma - pixels))


def _mirror(pixels: Pixels, _: float, __: np.random.Generator) -> Pixels:
    """Swap left and right."""
    return np.ascontiguousarray(pixels[:, ::-1])


def _turn(pixels: Pixels, degrees: float, _: np.random.Generator) -> Pixels:
    """Turn clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, k=-round(degrees / 90)))


def _colour_filter(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Apply a share of a strong photo filter: warm tint, lifted shadows, contrast, dark corners."""
    height, width = pixels.shape[:2]
    light = pixels / 255.0
    curved = 0.08 + 0.92 * (3 * light**2 - 2 * light**3)  # more contrast, and no full black
    tinted = curved * np.array([1.12, 1.0, 0.78])
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shown = tinted * (1 - 0.35 * np.clip(x**2 + y**2, 0, 2) / 2)[..., None]
    return _as_pixels(pixels + share * (255.0 * shown - pixels))


def _beauty(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Smooth and brighten skin as beauty filters do; the strength is the share of the filter."""
    diameter = max(5, round(min(pixels.shape[:2]) / 24))
    smooth = cv2.bilateralFilter(pixels, diameter, _BEAUTY_SIGMA, diameter)
    brighter = 255.0 * (smooth / 255.0) ** 0.9
    return _as_pixels(pixels + share * (brighter - pixels))


def _reencode(pixels: Pixels, times: float, rng: np.random.Generator) -> Pixels:
    """Send on some times: shrunk, compressed as JPEG, and enlarged again."""
    height, width = pixels.shape[:2]
    for _ in range(int(times)):
        factor = rng.uniform(*_MESSENGER_FACTOR)
        quality = int(rng.integers(*_MESSENGER_QUALITY))
        small = _resize(pixels, factor, rng)
        sent = jpeg_round_trip(small, quality=quality)
        pixels = _as_pixels(cv2.resize(sent, (width, height), interpolation=cv2.INTER_LINEAR))
    return pixels


def _screen(pixels: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Photograph from a screen: its grid, a slanted view, less contrast, blur and noise."""
    height, width = pixels.shape[:2]
    grid = np.ones((height, width, 3))
    for channel in range(3):  # stripes of red, green and blue
        grid[:, channel::_PIXEL_PX, (channel + 1) % 3] -= 0.25 * strength
        grid[:, channel::_PIXEL_PX, (channel + 2) % 3] -= 0.25 * strength
    grid[:: _PIXEL_PX + 1] *= 1 - 0.2 * strength
    shown = 255.0 * (0.06 * strength + (1 - 0.12 * strength) * pixels / 255.0) * grid
    slant = 0.06 * strength
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    seen = corners + np.array(
        [[slant * width, slant * height], [0, 0], [-slant * width, 0], [0, -slant * height]],
        dtype=np.float32,
    )
    matrix = cv2.getPerspectiveTransform(corners, seen)
    view = cv2.warpPerspective(shown, matrix, (width, height), flags=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(view, (0, 0), 0.3 + 0.6 * strength)
    return _as_pixels(soft + rng.normal(0.0, 4.0 * strength, size=soft.shape))


def _letterbox(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Add black bars above and below; the strength is their share of the new picture."""
    bar = round(pixels.shape[0] * share / (1 - share) / 2)
    return np.pad(pixels, ((bar, bar), (0, 0), (0, 0)))


def _inset(pixels: Pixels, share: float, _: np.random.Generator) -> Pixels:
    """Set into a larger blurred copy of itself; the strength is the share of its side."""
    height, width = pixels.shape[:2]
    wide, high = round(width / share), round(height / share)
    small = cv2.resize(pixels, (_LEAST_SIDE_PX, _LEAST_SIDE_PX), interpolation=cv2.INTER_AREA)
    canvas = _as_pixels(cv2.resize(small, (wide, high), interpolation=cv2.INTER_CUBIC))
    left, top = (wide - width) // 2, (high - height) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def _as_pixels(values: NDArray[np.floating] | NDArray[np.uint8] | cv2.typing.MatLike) -> Pixels:
    return np.clip(np.round(np.asarray(values)), 0, 255).astype(np.uint8)


FRAME_CHANGES: Mapping[str, FrameChange] = {
    "jpeg": _jpeg,
    "resize": _resize,
    "blur": _blur,
    "noise": _noise,
    "brightness": _brightness,
    "grey": _grey,
    "mirror": _mirror,
    "turn": _turn,
    "filter": _colour_filter,
    "beauty": _beauty,
    "reencode": _reencode,
    "screen": _screen,
    "letterbox": _letterbox,
    "inset": _inset,
}
"""By the name of the perturbation; `h264` changes a file, not a frame."""
