"""From a run of mouths with its sound to what the two networks take. NumPy alone.

Training and scoring both call it, so that a network sees in scoring what it has learnt from.

Source: the sizes of the windows are those of Chung and Zisserman, "Out of time: automated lip sync
in the wild", ACCV workshops 2016, section 2.1, with 40 bands of a mel scale for their 13
coefficients.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from deepfake.config.speech import SAMPLE_RATE

__all__ = [
    "FPS",
    "INPUT_SHAPES",
    "MAX_OFFSET",
    "NUM_BANDS",
    "NUM_FRAMES",
    "NUM_MOUTHS",
    "NUM_OFFSETS",
    "SIZE_PX",
    "log_mel",
    "mouth_windows",
    "shifted_pairs",
    "sound_windows",
    "sound_windows_known",
]

FPS = 25.0
"""Mouths a second."""
NUM_MOUTHS = 5
"""Of a window: 0.2 s."""
SIZE_PX = 64
"""Side of a mouth."""
MAX_OFFSET = 15
"""Largest offset of the sound that is tried, in mouths: 0.6 s either way."""
NUM_OFFSETS = 2 * MAX_OFFSET + 1

NUM_BANDS = 40
NUM_FRAMES = 20
"""Frames of sound of a window, 10 ms apart."""

INPUT_SHAPES = {
    "mouth": (NUM_MOUTHS, SIZE_PX, SIZE_PX),
    "sound": (1, NUM_BANDS, NUM_FRAMES),
}
"""Of what each network takes, without the batch."""

_HOP = SAMPLE_RATE // 100
_WINDOW = SAMPLE_RATE * 25 // 1000
_FFT = 512
_FRAMES_PER_MOUTH = round(SAMPLE_RATE / FPS) // _HOP
_SAMPLES_PER_MOUTH = _FRAMES_PER_MOUTH * _HOP

_BEFORE = (_WINDOW - _HOP) // 2
"""Samples before a frame's 10 ms that its 25 ms begin."""

_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
_MIN_POWER = 1e-3
"""Added to powers of sound with an effective value of 1: quieter sound is taken for silence."""
_MIN_LEVEL = 1e-5
_MIN_SPREAD = 1e-3


def mouth_windows(mouths: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return each five successive mouths, of a mean of 0 and a deviation of 1 over the run.

    Args:
        mouths: Shape (T, S, S), uint8, T at least `NUM_MOUTHS`.

    Returns:
        Shape (T - 4, 5, S, S), float32; a view, which must not be written to.
    """
    values = mouths.astype(np.float32)
    values -= values.mean()
    values /= max(float(values.std()), 1.0)
    views = sliding_window_view(values, NUM_MOUTHS, axis=0)  # (T - 4, S, S, 5)
    return np.moveaxis(views, -1, 1)


def log_mel(samples: NDArray[np.float32], *, sound_span: tuple[int, int]) -> NDArray[np.float32]:
    """Return logarithms of power in bands, each with a mean of 0 over the sound that there is.

    The mean of a band says how a microphone colours a voice, and nothing of lips.

    Args:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`.
        sound_span: First sample that the file has, and the one behind the last.

    Returns:
        Shape (`NUM_BANDS`, N // 160), float32: frame k is of the 10 ms from sample 160 k on.
    """
    begin, end = sound_span
    known = samples[begin:end].astype(np.float32)
    level = float(np.sqrt(np.square(known).mean())) if len(known) else 0.0
    num = len(samples) // _HOP
    padded = np.pad(samples / np.float32(max(level, _MIN_LEVEL)), (_BEFORE, _WINDOW))
    frames = sliding_window_view(padded, _WINDOW)[::_HOP][:num]  # (F, 400)
    spectra = np.fft.rfft(frames * _hann(), _FFT)
    power = np.square(spectra.real) + np.square(spectra.imag)  # (F, 257)
    logs = np.log(power @ _mel_matrix() / _WINDOW + _MIN_POWER).T  # (B, F)
    inside = logs[:, -(-begin // _HOP) : end // _HOP]
    if inside.shape[1]:
        logs = (logs - inside.mean(axis=1, keepdims=True)) / max(float(inside.std()), _MIN_SPREAD)
    return np.ascontiguousarray(logs, dtype=np.float32)


def sound_windows(bands: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the windows of sound that begin with each mouth's moment.

    Args:
        bands: From `log_mel`, shape (B, F).

    Returns:
        Shape (F // 4 - 4, 1, B, 20), float32; a view, which must not be written to. The first
        belongs to a mouth at the first sample.
    """
    views = sliding_window_view(bands, NUM_FRAMES, axis=1)[:, ::_FRAMES_PER_MOUTH]  # (B, M, 20)
    return np.moveaxis(views, 1, 0)[:, None]


def sound_windows_known(num: int, *, sound_span: tuple[int, int]) -> NDArray[np.bool_]:
    """Return for each window of `sound_windows` whether the file has all of its sound.

    Args:
        num: Windows.
        sound_span: As for `log_mel`.
    """
    begins = np.arange(num) * _SAMPLES_PER_MOUTH
    ends = begins + NUM_MOUTHS * _SAMPLES_PER_MOUTH
    return np.asarray((begins >= sound_span[0]) & (ends <= sound_span[1]))


def shifted_pairs(
    mouths: NDArray[np.float32], sounds: NDArray[np.float32], *, known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the cosine of each window of mouths with the sound at each offset.

    Args:
        mouths: Embeddings of length 1, shape (W, D).
        sounds: The same of sound, shape (W + 30, D), from 15 mouths before the first on.
        known: Which of these the file has, shape (W + 30,).

    Returns:
        Shape (W, 31), float32: column 15 is the sound of the mouths' own moment, later columns
        later sound; NaN where the file has none.
    """
    every = np.where(known, mouths @ sounds.T, np.float32(np.nan))  # (W, W + 30)
    columns = np.arange(len(mouths))[:, None] + np.arange(NUM_OFFSETS)
    return np.take_along_axis(every, columns, axis=1).astype(np.float32)


@cache
def _hann() -> NDArray[np.float32]:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


@cache
def _mel_matrix() -> NDArray[np.float32]:
    """Return triangles over the bins of a Fourier transform, shape (257, B).

    Source: the mel scale is O'Shaughnessy's, 2595 log10(1 + f / 700), as HTK has it.
    """
    mels = np.linspace(_to_mel(_LOWEST_HZ), _to_mel(_HIGHEST_HZ), NUM_BANDS + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    hz = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)[:, None]
    rising = (hz - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - hz) / np.diff(corners)[1:]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def _to_mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))
