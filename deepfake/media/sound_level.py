"""Measure how loud a window of sound is, and how far up its spectrum reaches."""

from __future__ import annotations

import math

import numpy as np

from deepfake.media.sound import SAMPLE_RATE, Samples

__all__ = ["bandwidth_hz", "loudness_dbfs"]

_FLOOR_DBFS = -120.0
"""Under the noise of 16 bits; stands for silence."""
_BLOCK = 512
_QUIET = 1e-5
"""Power, of the strongest band, at which the spectrum counts as ended: -50 dB."""


def loudness_dbfs(samples: Samples) -> float:
    """Return the effective value of a window, decibels of full scale.

    Args:
        samples: Shape (N,), float32, -1 to 1.

    Example:
        >>> round(loudness_dbfs(np.full(16_000, 0.1, np.float32)), 1)
        -20.0
    """
    power = float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0
    return max(_FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else _FLOOR_DBFS


def bandwidth_hz(samples: Samples) -> float:
    """Return the highest frequency with notable power: codecs and telephones cut it off.

    Args:
        samples: Shape (N,), float32, at `SAMPLE_RATE`; N at least 512.

    Returns:
        Hertz, at most half of `SAMPLE_RATE`; 0 for silence.
    """
    num = len(samples) // _BLOCK
    blocks = samples[: num * _BLOCK].reshape(num, _BLOCK) * np.hanning(_BLOCK)
    power = np.square(np.abs(np.fft.rfft(blocks, axis=1))).mean(axis=0)
    if not num or power.max() <= 0:
        return 0.0
    highest = int(np.flatnonzero(power > _QUIET * power.max())[-1])
    return highest * SAMPLE_RATE / _BLOCK
