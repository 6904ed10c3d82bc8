"""Resize and normalise crops for a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["resize_square", "stack_squares", "to_input"]


def resize_square(crop: NDArray[np.uint8], *, size: int) -> NDArray[np.uint8]:
    """Resize a square RGB picture, averaging areas when it shrinks and bicubic when it grows."""
    if crop.shape[0] == size and crop.shape[1] == size:
        return crop
    interpolation = cv2.INTER_AREA if crop.shape[0] > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(crop, (size, size), interpolation=interpolation), dtype=np.uint8)


def stack_squares(crops: Sequence[NDArray[np.uint8]], *, size: int) -> NDArray[np.uint8]:
    """Return crops in one size, (N, size, size, 3) uint8.

    Args:
        crops: RGB squares, each (S, S, 3) uint8; sizes may differ.
        size: Side of the result, pixels.
    """
    squares = np.empty((len(crops), size, size, 3), dtype=np.uint8)
    for slot, crop in zip(squares, crops, strict=True):
        slot[...] = resize_square(crop, size=size)
    return squares


def to_input(
    crops: Sequence[NDArray[np.uint8]],
    *,
    input_size: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> torch.Tensor:
    """Return crops as the input of a network without its normalisation.

    Shrinking averages areas, growing is bicubic.

    Args:
        crops: RGB squares, each (S, S, 3) uint8; sizes may differ.
        input_size: Side of the network's input, pixels.
        mean: Per channel, of a pixel scale of 0 to 1.
        std: Per channel, of a pixel scale of 0 to 1.

    Returns:
        Shape (N, 3, input_size, input_size), float32, channels last in memory.
    """
    import torch

    batch = stack_squares(crops, size=input_size).astype(np.float32)
    batch -= np.asarray(mean, dtype=np.float32) * 255.0
    batch /= np.asarray(std, dtype=np.float32) * 255.0
    return torch.from_numpy(batch).permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W)
