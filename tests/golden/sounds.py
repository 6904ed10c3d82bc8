"""Sounds for golden values, computed; the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.sound_factory import make_speech

__all__ = ["golden_windows"]


def golden_windows() -> list[NDArray[np.float32]]:
    """Return fixed windows, 64,000 samples each: two made voices, a tone, and noise."""
    tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(64_000) / 16_000)
    noise = 0.05 * np.random.default_rng(0).standard_normal(64_000)
    spoken = [make_speech(4.0, seed=seed)[:64_000] for seed in (0, 1)]
    return [np.asarray(window, np.float32) for window in (*spoken, tone, noise)]
