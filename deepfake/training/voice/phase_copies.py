"""Copies of speech that keep its magnitudes, or its mel bands, and have phases of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake.media.sound import Samples
from deepfake.training.voice.spectrograms import (
    Spectra,
    StftSize,
    frames_of,
    inverse_stft,
    mel_bands,
    mel_expansion,
    stft,
)

__all__ = ["griffin_lim", "mel_griffin_lim", "phase_vocoder", "random_phase"]

_WINDOWS = (512, 768, 1024, 1536, 2048)
_OVERLAPS = (4, 4, 8)
"""Frames that hold a sample: window over hop. More frames make phases more consistent."""
_NUM_MELS = (40, 50, 64, 80, 80, 100)
"""80 is the most usual of text-to-speech."""
_ITERATIONS = (6, 32)
_MOMENTA = (0.0, 0.5, 0.99)
_PHASE_SPREAD = (0.3, 1.2)
"""Standard deviation of the error of phases, radians."""
_SHORTER, _LONGER = (0.8, 0.95), (1.05, 1.25)
_STRETCH_WINDOWS = (512, 768, 1024)
"""In a longer frame a stretched voice is smeared beyond what anyone would publish."""
_TINY = 1e-9


def griffin_lim(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return sound with the magnitudes of a window, and phases found from random ones.

    Source: Griffin and Lim, Signal Estimation from Modified Short-Time Fourier Transform, IEEE
    Transactions on Acoustics, Speech, and Signal Processing 32 (2), 1984, section III; with
    momentum as in Perraudin, Balazs and Søndergaard, A Fast Griffin-Lim Algorithm, WASPAA 2013,
    algorithm 2, which finds 0.99 best.

    Args:
        samples: Shape (N,).
        rng: Draws phases, the transform's size, the number of iterations and the momentum.
    """
    size = _draw_size(rng)
    return _find_phases(np.abs(stft(samples, size)), size, rng=rng, num_samples=len(samples))


def mel_griffin_lim(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return the same of magnitudes that went through 40 to 100 mel bands.

    Args:
        samples: Shape (N,).
        rng: As of `griffin_lim`; it draws the number of bands, too.
    """
    size, num_mels = _draw_size(rng), int(rng.choice(_NUM_MELS))
    mels = np.abs(stft(samples, size)) @ mel_bands(size.window, num_mels=num_mels).T  # (F, M)
    expanded = mels @ mel_expansion(size.window, num_mels=num_mels).T  # (F, W // 2 + 1)
    magnitudes = np.maximum(expanded, np.float32(0))
    return _find_phases(magnitudes, size, rng=rng, num_samples=len(samples))


def random_phase(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return sound whose phases are wrong by a random angle in each frame and bin.

    Args:
        samples: Shape (N,).
        rng: Draws the angles, their spread and the transform's size.
    """
    size = _draw_size(rng)
    spectra = stft(samples, size)
    spread = np.float32(rng.uniform(*_PHASE_SPREAD))
    angles = spread * rng.standard_normal(spectra.shape, dtype=np.float32)
    return inverse_stft(spectra * _unit(angles), size, num_samples=len(samples))


def phase_vocoder(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return sound that was stretched in time, and back.

    Source: Flanagan and Golden, Phase Vocoder, Bell System Technical Journal 45 (9), 1966.

    Args:
        samples: Shape (N,).
        rng: Draws the factor and the transform's size.
    """
    size = _draw_size(rng, windows=_STRETCH_WINDOWS)
    factor = rng.uniform(*_SHORTER) if rng.random() < 0.5 else rng.uniform(*_LONGER)
    num = max(round(len(samples) * factor), 1)
    stretched = _stretched(samples, size, num_samples=num)
    return _stretched(stretched, size, num_samples=len(samples))


def _draw_size(rng: np.random.Generator, *, windows: tuple[int, ...] = _WINDOWS) -> StftSize:
    window = int(rng.choice(windows))
    return StftSize(window, window // int(rng.choice(_OVERLAPS)))


def _find_phases(
    magnitudes: NDArray[np.float32], size: StftSize, *, rng: np.random.Generator, num_samples: int
) -> Samples:
    """Return sound of magnitudes, shape (F, W // 2 + 1)."""
    iterations = int(rng.integers(*_ITERATIONS, endpoint=True))
    momentum = np.float32(rng.choice(_MOMENTA))
    angles = rng.uniform(-np.pi, np.pi, magnitudes.shape).astype(np.float32)
    phases, last = _unit(angles), np.zeros(magnitudes.shape, np.complex64)
    for _ in range(iterations):
        sound = inverse_stft(magnitudes * phases, size, num_samples=num_samples)
        consistent = stft(sound, size)
        moved = consistent + momentum * (consistent - last)
        phases = (moved / np.maximum(np.abs(moved), _TINY)).astype(np.complex64)
        last = consistent
    return inverse_stft(magnitudes * phases, size, num_samples=num_samples)


def _stretched(samples: Samples, size: StftSize, *, num_samples: int) -> Samples:
    """Return sound that lasts `num_samples`, and is as high as it was."""
    spectra = stft(samples, size)  # (F, W // 2 + 1)
    num_frames = len(frames_of(np.zeros(num_samples, np.float32), size))
    places = np.linspace(0, len(spectra) - 1, num_frames)
    before = np.minimum(places.astype(int), len(spectra) - 2)
    share = (places - before).astype(np.float32)[:, None]
    magnitudes, angles = np.abs(spectra), np.angle(spectra)
    between = (1 - share) * magnitudes[before] + share * magnitudes[before + 1]
    # From one frame to the next a phase advances as it does where the frame was taken from.
    advance = (angles[before + 1] - angles[before]).astype(np.float64)
    phases = np.cumsum(np.concatenate([angles[:1], advance[:-1]]), axis=0)
    return inverse_stft(between * _unit(phases), size, num_samples=num_samples)


def _unit(angles: NDArray[np.float32] | NDArray[np.float64]) -> Spectra:
    """Return complex numbers of magnitude 1."""
    wrapped = np.asarray(np.remainder(angles, 2 * np.pi), np.float32)
    return np.asarray(np.cos(wrapped) + 1j * np.sin(wrapped), np.complex64)
