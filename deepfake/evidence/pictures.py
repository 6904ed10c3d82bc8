"""Draw pictures for people: boxes around faces in a frame, a heat map over a face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_boxes", "draw_heat_map"]

_COLOUR = (255, 190, 0)
"""RGB; visible on light and on dark skin."""


def draw_boxes(
    pixels: NDArray[np.uint8],
    boxes: list[tuple[float, float, float, float]],
    *,
    labels: list[str],
    width: int,
) -> NDArray[np.uint8]:
    """Return a frame, scaled down to `width`, with labelled boxes around its faces.

    Args:
        pixels: The frame, (H, W, 3) RGB.
        boxes: Left, top, right, bottom, in pixels of the frame.
        labels: A label for each box, ASCII.
        width: Longer side of the result, at most, in pixels.
    """
    scale = min(1.0, width / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    for box, label in zip(boxes, labels, strict=True):
        left, top, right, bottom = (round(value * scale) for value in box)
        cv2.rectangle(small, (left, top), (right, bottom), _COLOUR, 2)
        _draw_label(small, label, left=left, top=top)
    return small


def _draw_label(picture: NDArray[np.uint8], label: str, *, left: int, top: int) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    (width, height), _ = cv2.getTextSize(label, font, size, 1)
    x, y = max(0, left), max(height + 6, top)
    cv2.rectangle(picture, (x, y - height - 6), (x + width + 6, y), (0, 0, 0), cv2.FILLED)
    cv2.putText(picture, label, (x + 3, y - 3), font, size, _COLOUR, 1, cv2.LINE_AA)


def draw_heat_map(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a face under its heat map: grey where nothing moved the score, yellow where most did.

    Args:
        picture: The face, (S, S, 3) RGB.
        heat: The heat map, (G, G), 0 to 1.
    """
    side = picture.shape[0]
    smooth = cv2.resize(heat, (side, side), interpolation=cv2.INTER_LINEAR)
    level = np.clip(smooth * 255, 0, 255).astype(np.uint8)
    # Its brightness rises evenly, so that it is readable with every kind of colour vision.
    coloured = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    weight = (0.15 + 0.55 * smooth)[..., None]
    mixed = grey * (1 - weight) + coloured * weight
    return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)
