"""Draw windows of mouths and of their sound out of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake.detectors.sync.windows import (
    NUM_MOUTHS,
    log_mel,
    mouth_windows,
    sound_windows,
)
from deepfake.training.sync.augment import SpokenPart

__all__ = ["draw_windows", "most_windows", "spread_starts"]

Windows = tuple[NDArray[np.float32], NDArray[np.float32]]


def draw_windows(
    part: SpokenPart, *, num: int, min_gap: int, rng: np.random.Generator | None = None
) -> Windows:
    """Return windows of mouths, (K, 5, S, S), and the sound of the same moments, (K, 1, B, F).

    Args:
        part: Long enough for them.
        num: Windows, K.
        min_gap: Mouths between the beginnings of two, at least.
        rng: Places them at random; None spreads them evenly.
    """
    starts = spread_starts(len(part.mouths) - NUM_MOUTHS + 1, num=num, min_gap=min_gap, rng=rng)
    bands = log_mel(part.samples, sound_span=part.sound_span)
    return mouth_windows(part.mouths)[starts], sound_windows(bands)[starts]


def most_windows(num_places: int, *, min_gap: int) -> int:
    """Return how many windows find a place, `min_gap` apart."""
    return max(0, -(-num_places // min_gap))


def spread_starts(
    num_places: int, *, num: int, min_gap: int, rng: np.random.Generator | None
) -> NDArray[np.int64]:
    """Return ascending places with gaps of at least `min_gap`.

    Args:
        num_places: Places 0 to `num_places` - 1.
        num: Places wanted.
        min_gap: Between two neighbours.
        rng: What is left over falls at random; None for evenly.

    Raises:
        ValueError: They do not all find a place.

    Example:
        >>> spread_starts(10, num=4, min_gap=3, rng=None).tolist()
        [0, 3, 6, 9]
    """
    spare = num_places - 1 - (num - 1) * min_gap
    if spare < 0:
        raise ValueError(f"{num} windows {min_gap} apart do not fit into {num_places} places")
    if rng is None:
        extra = np.floor(np.linspace(0, spare, num)).astype(np.int64)
    else:
        extra = np.sort(rng.integers(0, spare, size=num, endpoint=True))
    return np.asarray(extra + min_gap * np.arange(num), np.int64)
