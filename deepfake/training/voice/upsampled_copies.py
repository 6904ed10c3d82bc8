"""Copies of speech whose upper band is invented: by bandwidth extension, by faulty upsampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import firwin, oaconvolve, resample_poly

from deepfake.media.sound import SAMPLE_RATE, Samples

__all__ = ["bandwidth_extension", "zero_insertion"]

_CUTS_HZ = (4000.0, 5000.0, 5500.0, 6000.0)
"""Half of the rates that narrow-band speech has: 8, 10, 11 and 12 kHz."""
_FOLD_DB, _FALL_DB = (-15.0, -3.0), (-12.0, 0.0)
"""Gain of the upper band where it begins, and of 8 kHz over that."""
_NOISE_P = 0.4
_ENVELOPE_SECONDS = 0.005

_STRIDES = (2, 4, 5, 8, 10, 16)
"""Upsampling factors that vocoders are built of."""
_GAIN_SPREAD, _OFFSET_SPREAD = (0.005, 0.08), (0.0005, 0.01)
"""Standard deviation of the gains of one stride, and of offsets over the level of the sound."""
_FACTORS = (1, 1, 2)
_TAPS = (7, 31)
"""Of the filter behind the zeros; 150 would be good."""
_TINY = 1e-12


def bandwidth_extension(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return sound whose upper band is mirrored from below the cut, or is noise as loud as that.

    Source: Makhoul and Berouti, High-frequency regeneration in speech coding systems, ICASSP 1979:
    spectral folding.

    Args:
        samples: Shape (N,).
        rng: Draws the cut, 4 to 6 kHz, what is above it, and its level.
    """
    spectrum = fft.rfft(samples)
    cut = round(float(rng.choice(_CUTS_HZ)) * len(samples) / SAMPLE_RATE)
    above = np.arange(cut + 1, len(spectrum))
    folded = np.zeros_like(spectrum)
    folded[above] = np.conj(spectrum[np.abs(2 * cut - above)])
    has_noise, noise = rng.random() < _NOISE_P, rng.standard_normal(len(samples), dtype=np.float32)
    if has_noise:
        folded = _as_noise(folded, noise, above=above)
    gain_db = rng.uniform(*_FOLD_DB) + rng.uniform(*_FALL_DB) * np.linspace(0, 1, len(above))
    extended = spectrum.copy()
    extended[above] = folded[above] * 10 ** (gain_db / 20)
    return np.asarray(fft.irfft(extended, len(samples)), np.float32)


def zero_insertion(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return sound with the traces of transposed convolutions: images, and gains with a period.

    A transposed convolution puts zeros between samples and filters them. A filter that is too
    short leaves mirrored images of the lower band. One whose length is no multiple of the stride
    gives samples a gain, and where there is a bias an offset, that repeats with the stride: images
    and tones at multiples of the rate over the stride.

    Source: Pons, Pascual, Cengarle and Serrà, Upsampling Artifacts in Neural Audio Synthesis,
    ICASSP 2021.

    Args:
        samples: Shape (N,).
        rng: Draws filter, stride, gains and offsets.
    """
    num_taps, factor = int(rng.integers(*_TAPS)) | 1, int(rng.choice(_FACTORS))
    made = _upsampled(samples, factor=factor, num_taps=num_taps)
    stride = int(rng.choice(_STRIDES))
    gains = 1 + rng.uniform(*_GAIN_SPREAD) * rng.standard_normal(stride)
    level = float(np.sqrt(np.square(samples).mean()))
    offsets = level * rng.uniform(*_OFFSET_SPREAD) * rng.standard_normal(stride)
    place = np.arange(len(samples)) % stride
    return np.asarray(gains[place] * made + (offsets - offsets.mean())[place], np.float32)


def _as_noise(
    folded: NDArray[np.complex64], noise: Samples, *, above: NDArray[np.int64]
) -> NDArray[np.complex64]:
    """Return the spectrum of noise that rises and falls with the folded band, and has its power."""
    size = max(round(_ENVELOPE_SECONDS * SAMPLE_RATE), 1)
    power = np.square(fft.irfft(folded, len(noise)))
    smooth = oaconvolve(power, np.full(size, 1 / size, np.float32), mode="same")
    spectrum = fft.rfft(noise * np.sqrt(np.maximum(smooth, 0.0)))
    wanted, found = (float(np.square(np.abs(s[above])).sum()) for s in (folded, spectrum))
    return np.asarray(spectrum * np.sqrt(wanted / max(found, _TINY)), np.complex64)


def _upsampled(samples: Samples, *, factor: int, num_taps: int) -> Samples:
    """Return sound decimated by a factor and brought back through zeros and a short filter."""
    if factor == 1:
        return samples
    kept = resample_poly(samples, 1, factor)
    spread = np.zeros(len(samples), np.float32)
    spread[::factor] = kept[: len(spread[::factor])]
    taps = factor * firwin(num_taps, 1 / factor)
    return np.asarray(oaconvolve(spread, taps, mode="same"), np.float32)
