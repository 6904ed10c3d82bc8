"""Short-time spectra of sound, sound out of them, and mel bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import get_window

from deepfake.media.sound import SAMPLE_RATE, Samples

__all__ = [
    "Spectra",
    "StftSize",
    "frames_of",
    "hann",
    "inverse_stft",
    "mel_bands",
    "mel_expansion",
    "overlap_add",
    "stft",
]

Spectra: TypeAlias = NDArray[np.complex64]

_LEAST_SINGULAR = 1e-3
"""Singular values under this share of the largest are left out: where bins are few, neighbouring
mel bands are nearly the same."""


@dataclass(frozen=True, slots=True)
class StftSize:
    """Size of a short-time Fourier transform.

    Attributes:
        window: Samples of a frame, W.
        hop: Samples between two frames; it divides the window.
    """

    window: int
    hop: int


def stft(samples: Samples, size: StftSize) -> Spectra:
    """Return spectra of frames under a Hann window, shape (F, W // 2 + 1).

    Args:
        samples: Shape (N,). All of it is in as many frames: it is padded on both sides with zeros.
        size: Of the frames.
    """
    frames = frames_of(samples, size) * hann(size.window)
    return np.asarray(fft.rfft(frames, axis=1), np.complex64)


def frames_of(samples: Samples, size: StftSize) -> NDArray[np.float32]:
    """Return the frames of `stft` before they are windowed, shape (F, W); not to be written to.

    The middle of frame f is sample f * hop + hop - W / 2.
    """
    behind = size.window + -len(samples) % size.hop
    padded = np.pad(samples, (size.window - size.hop, behind))
    frames: NDArray[np.float32] = sliding_window_view(padded, size.window)[:: size.hop]
    return frames


def inverse_stft(spectra: Spectra, size: StftSize, *, num_samples: int) -> Samples:
    """Return the sound whose spectra are nearest to those given, in the least squares sense.

    Source: Griffin and Lim, Signal Estimation from Modified Short-Time Fourier Transform, IEEE
    Transactions on Acoustics, Speech, and Signal Processing 32 (2), 1984, equation 6.

    Args:
        spectra: As of `stft`, shape (F, W // 2 + 1).
        size: Of the frames.
        num_samples: Length of the sound, N.
    """
    window = hann(size.window)
    frames = np.asarray(fft.irfft(spectra, size.window, axis=1), np.float32) * window
    weight = overlap_add(np.broadcast_to(np.square(window), frames.shape), size.hop)
    begin = size.window - size.hop
    inner = slice(begin, begin + num_samples)
    return np.asarray(overlap_add(frames, size.hop)[inner] / weight[inner], np.float32)


def overlap_add(frames: NDArray[np.float32], hop: int) -> Samples:
    """Return the sum of frames, shape (F, W), each `hop` samples behind the last."""
    num, width = frames.shape
    parts = frames.reshape(num, width // hop, hop)
    total = np.zeros((num + width // hop - 1, hop), np.float32)
    for at in range(width // hop):
        total[at : at + num] += parts[:, at]
    return total.reshape(-1)


@lru_cache(maxsize=32)
def hann(num: int) -> NDArray[np.float32]:
    """Return a periodic Hann window, shape (num,); it is not to be written to."""
    window = np.asarray(get_window("hann", num), np.float32)
    window.setflags(write=False)
    return window


@lru_cache(maxsize=32)
def mel_bands(window: int, *, num_mels: int) -> NDArray[np.float32]:
    """Return the weight of each bin in each mel band, shape (M, W // 2 + 1), 0 to 8 kHz.

    Bands are triangles of equal height, as wide as their neighbours are apart, and where bins are
    too few for that, wide enough to hold one.

    Source: O'Shaughnessy, Speech Communication: Human and Machine, 1987, page 150: the mel scale.
    """
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, num_mels + 2) / 2595) - 1)
    step = SAMPLE_RATE / window
    distance = np.arange(window // 2 + 1) * step - edges[1:-1, None]  # (M, W // 2 + 1)
    widths = np.maximum(np.diff(edges), step)[:, None]
    rising, falling = 1 + distance / widths[:-1], 1 - distance / widths[1:]
    bands = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(bands, np.float32)


@lru_cache(maxsize=32)
def mel_expansion(window: int, *, num_mels: int) -> NDArray[np.float32]:
    """Return the matrix that brings mel bands back to bins, shape (W // 2 + 1, M)."""
    bands = mel_bands(window, num_mels=num_mels).astype(np.float64)
    return np.asarray(np.linalg.pinv(bands, rcond=_LEAST_SINGULAR), np.float32)
