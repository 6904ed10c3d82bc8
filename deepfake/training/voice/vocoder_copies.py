"""Copies of speech by vocoders, which take a voice apart into pitch and spectral envelope."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import medfilt

from deepfake.errors import ConfigError
from deepfake.media.sound import SAMPLE_RATE, Samples
from deepfake.training.voice.spectrograms import StftSize, frames_of, hann, overlap_add

__all__ = ["has_world", "lpc_vocoder", "world_vocoder"]

_WINDOW = 768
"""48 ms: over two periods of the lowest pitch."""
_HOPS = (96, 192)
_ORDERS = (14, 24)
"""Coefficients of the envelope: two a formant, and some for the voice's source."""
_FLOOR = 1e-5
"""White noise that is added to the spectrum before the envelope is fitted, over the power."""

_PITCH_HZ = (60.0, 400.0)
_VOICED = (0.35, 0.5)
"""Autocorrelation at the pitch's period above which a frame is voiced."""
_OCTAVE_COST = 0.02
"""What a period loses against one of half its length: a multiple of the period fits as well.

Source: Boersma, Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound, IFA Proceedings 17, 1993; 0.01 there."""
_SMOOTHED_FRAMES = 5
_PULSE_SHARE = (0.8, 1.0)
"""Amplitude of the pulses in the excitation of a voiced frame; the rest is noise."""

_FRAME_MS = (5.0, 10.0)
_TINY = 1e-12


def lpc_vocoder(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return speech made of pulses and noise that are filtered by the envelope of each frame.

    Source: Makhoul, Linear Prediction: A Tutorial Review, Proceedings of the IEEE 63 (4), 1975,
    section II.

    Args:
        samples: Shape (N,).
        rng: Draws the noise, order, hop, and how much of a voice is noise.
    """
    size, order = (
        StftSize(_WINDOW, int(rng.choice(_HOPS))),
        int(rng.integers(*_ORDERS, endpoint=True)),
    )
    frames = frames_of(samples, size) * hann(size.window)  # (F, W)
    likeness = _autocorrelation(frames)
    predictor, power = _levinson(likeness[:, : order + 1])
    excitation = _excitation(_pitch(likeness, threshold=rng.uniform(*_VOICED)), size, rng=rng)
    excited = excitation[: len(frames) * size.hop]
    parts = frames_of(excited, size)[: len(frames)] * hann(size.window)
    filtered = _filtered(parts, predictor, gain=np.sqrt(power / np.square(hann(_WINDOW)).sum()))
    begin = size.window - size.hop
    return overlap_add(filtered, size.hop)[begin : begin + len(samples)]


def has_world() -> bool:
    """Return whether the WORLD vocoder is installed."""
    return find_spec("pyworld") is not None


def world_vocoder(samples: Samples, *, rng: np.random.Generator) -> Samples:
    """Return speech taken apart and put together again by WORLD.

    Source: Morise, Yokomori and Ozawa, WORLD: A Vocoder-Based High-Quality Speech Synthesis System
    for Real-Time Applications, IEICE Transactions on Information and Systems E99-D (7), 2016.

    Args:
        samples: Shape (N,).
        rng: Draws the time between two frames.

    Raises:
        ConfigError: The package `pyworld` is not installed.
    """
    if not has_world():
        raise ConfigError(
            "copies by WORLD need the package pyworld, which is not installed",
            hint="pip install pyworld, or leave `world` out of the kinds of copies",
        )
    import pyworld

    sound, period = samples.astype(np.float64), float(rng.uniform(*_FRAME_MS))
    rough, times = pyworld.dio(sound, SAMPLE_RATE, frame_period=period)
    pitch = pyworld.stonemask(sound, rough, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(sound, pitch, times, SAMPLE_RATE)
    aperiodicity = pyworld.d4c(sound, pitch, times, SAMPLE_RATE)
    made = pyworld.synthesize(pitch, envelope, aperiodicity, SAMPLE_RATE, period)
    padded = np.pad(made, (0, max(len(samples) - len(made), 0)))
    return np.asarray(padded[: len(samples)], np.float32)


def _autocorrelation(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the autocorrelation of frames, shape (F, W), at lags of 0 to W - 1."""
    width = frames.shape[1]
    power = np.square(np.abs(fft.rfft(frames, 2 * width, axis=1)))
    return np.asarray(fft.irfft(power, axis=1)[:, :width], np.float64)


def _levinson(likeness: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the predictor of each frame by Levinson's and Durbin's recursion.

    Source: Makhoul 1975, equation 38.

    Args:
        likeness: Autocorrelation, shape (F, P + 1).

    Returns:
        The filter 1, a_1 ... a_P, shape (F, P + 1), and the power of its error, shape (F,).
    """
    num, length = likeness.shape
    predictor = np.zeros((num, length))
    predictor[:, 0] = 1.0
    error = likeness[:, 0] * (1 + _FLOOR) + _TINY
    for at in range(1, length):
        found = np.einsum("fp,fp->f", predictor[:, :at], likeness[:, at:0:-1])
        reflection = -found / error
        predictor[:, : at + 1] += reflection[:, None] * predictor[:, at::-1].copy()
        error = error * (1 - np.square(reflection))
    return predictor, error


def _pitch(likeness: NDArray[np.float64], *, threshold: float) -> NDArray[np.float64]:
    """Return the pitch of each frame, Hz, shape (F,); 0 where it is not voiced."""
    lags = np.arange(int(SAMPLE_RATE / _PITCH_HZ[1]), int(SAMPLE_RATE / _PITCH_HZ[0]) + 1)
    window = _autocorrelation(hann(_WINDOW)[None])[0]
    # The window alone makes longer lags less alike.
    relative = likeness[:, lags] / (likeness[:, :1] + _TINY) * (window[0] / window[lags])
    best = np.argmax(relative - _OCTAVE_COST * np.log2(lags / lags[0]), axis=1)
    is_voiced = np.take_along_axis(relative, best[:, None], axis=1)[:, 0] > threshold
    pitch = np.where(is_voiced, SAMPLE_RATE / lags[best], 0.0)
    return np.asarray(medfilt(pitch, _SMOOTHED_FRAMES), np.float64)


def _excitation(pitch: NDArray[np.float64], size: StftSize, *, rng: np.random.Generator) -> Samples:
    """Return noise, and where there is a pitch pulses, of power 1, shape (F * hop,)."""
    # The middle of frame f is sample f * hop + hop - W / 2; the nearest frame's pitch is taken.
    held = np.repeat(pitch, size.hop)
    first = (size.window - size.hop) // 2
    hz = np.concatenate([held[first:], np.zeros(first)])
    has_pulse = np.diff(np.floor(np.cumsum(hz / SAMPLE_RATE)), prepend=0.0) > 0
    pulses = np.where(has_pulse, np.sqrt(SAMPLE_RATE / np.maximum(hz, _PITCH_HZ[0])), 0.0)
    noise, share = rng.standard_normal(len(hz)), rng.uniform(*_PULSE_SHARE)
    voiced = share * pulses + np.sqrt(1 - share**2) * noise
    return np.asarray(np.where(hz > 0, voiced, noise), np.float32)


def _filtered(
    frames: NDArray[np.float32], predictor: NDArray[np.float64], *, gain: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return frames, shape (F, W), filtered by gain over predictor, shape (F, 2 W)."""
    width = 2 * frames.shape[1]
    response = gain[:, None] / fft.rfft(predictor, width, axis=1)
    made = fft.irfft(fft.rfft(frames, width, axis=1) * response, width, axis=1)
    return np.asarray(made, np.float32)
