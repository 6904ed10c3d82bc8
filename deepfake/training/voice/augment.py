"""Augmentation of windows of sound: what happens to a voice between a mouth and a file.

The changes are made in the order in which they happen: speed, room, noise, microphone, the band
of the line, level, codec. None of them knows whether a window is real or fake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import butter, oaconvolve, resample_poly, sosfilt

from deepfake.config import SoundAugmentConfig
from deepfake.media.sound import SAMPLE_RATE, Samples
from deepfake.training.voice.sound_codecs import CodecSetup, draw_codec, pass_through_codec

__all__ = ["augment_sound"]

T = TypeVar("T")

_NOISE_COLOURS = (-1.0, 2.0)
"""Exponent a of noise with the power f^-a: from blue over white, 0, and pink, 1, to brown."""
_LOWEST_HZ = 20.0
"""Below it coloured noise does not rise."""

_LOW_PASS_ORDERS, _HIGH_PASS_ORDERS = (2, 12), (1, 4)
_TELEPHONE_HZ, _TELEPHONE_ORDER = (300.0, 3400.0), 5

_TILT_PIVOT_HZ = 1000.0
_NUM_PEAKS = 3
_PEAK_HZ = (100.0, 7000.0)
_PEAK_OCTAVES = (0.3, 1.5)
"""Width of a band that the equaliser changes: standard deviation."""

_SPEED_STEPS = 400
"""Factors of speed are whole multiples of the inverse of this."""

_FALL = np.log(1000.0)
"""60 dB, of amplitude."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is done to a window, in the order of the fields; None for nothing."""

    speed: float | None
    room: tuple[float, float] | None
    """RT60, seconds; power of the direct sound over the room's, dB."""
    noise: tuple[float, float] | None
    """SNR, dB; exponent of the colour."""
    equaliser: _Equaliser | None
    bands: tuple[NDArray[np.float64], ...]
    """Filters, second-order sections, each of shape (K, 6)."""
    level_db: float | None
    clip_share: float | None
    codec: CodecSetup | None


@dataclass(frozen=True, slots=True)
class _Equaliser:
    """A slope and some peaks.

    Attributes:
        tilt_db: An octave.
        peaks: Frequency, Hz; gain, dB; width, octaves; shape (P, 3).
    """

    tilt_db: float
    peaks: NDArray[np.float64]


def augment_sound(
    samples: Samples, *, config: SoundAugmentConfig, rng: np.random.Generator
) -> Samples:
    """Return a window of sound, changed at random.

    Args:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`; is not changed.
        config: Probabilities and ranges.
        rng: Of all that is random.

    Returns:
        Shape (N,), float32, -1 to 1.
    """
    if not config.is_enabled or not len(samples):
        return samples.copy()
    drawn = _draw(config, rng)
    changed = samples
    if drawn.speed is not None:
        changed = _at_speed(changed, drawn.speed)
    if drawn.room is not None:
        changed = _in_room(changed, rng, rt60_seconds=drawn.room[0], direct_db=drawn.room[1])
    if drawn.noise is not None:
        changed = _with_noise(changed, rng, snr_db=drawn.noise[0], colour=drawn.noise[1])
    if drawn.equaliser is not None:
        changed = _equalised(changed, drawn.equaliser)
    for sections in drawn.bands:
        changed = np.asarray(sosfilt(sections, changed), np.float32)
    changed = _at_level(changed, drawn)
    if drawn.codec is not None:
        setup = drawn.codec
        changed = pass_through_codec(
            changed, codec=setup.codec, bit_rate=setup.bit_rate, rate=setup.rate
        )
    return np.asarray(changed, dtype=np.float32)


def _draw(config: SoundAugmentConfig, rng: np.random.Generator) -> _Drawn:
    # Everything is drawn, whether or not it is done, so that no draw depends on another.
    def happens(probability: float) -> bool:
        return bool(rng.random() < probability)

    def pair(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
        return float(rng.uniform(*one)), float(rng.uniform(*other))

    return _Drawn(
        speed=_if(happens(config.speed_p), float(rng.uniform(*config.speed))),
        room=_if(happens(config.reverb_p), pair(config.rt60_seconds, config.direct_db)),
        noise=_if(happens(config.noise_p), pair(config.snr_db, _NOISE_COLOURS)),
        equaliser=_if(happens(config.equalise_p), _draw_equaliser(config, rng)),
        bands=_draw_bands(config, rng),
        level_db=_if(happens(config.level_p), float(rng.uniform(*config.level_db))),
        clip_share=_if(happens(config.clip_p), float(rng.uniform(*config.clip_share))),
        codec=_if(happens(config.codec_p), draw_codec(rng)),
    )


def _if(is_done: bool, value: T) -> T | None:
    return value if is_done else None


def _draw_equaliser(config: SoundAugmentConfig, rng: np.random.Generator) -> _Equaliser:
    lowest, highest = np.log2(_PEAK_HZ).tolist()
    octaves = rng.uniform(lowest, highest, size=_NUM_PEAKS)
    gains = rng.uniform(-config.peak_db, config.peak_db, size=_NUM_PEAKS)
    widths = rng.uniform(*_PEAK_OCTAVES, size=_NUM_PEAKS)
    tilt = float(rng.uniform(-config.tilt_db, config.tilt_db))
    return _Equaliser(tilt, np.stack([2**octaves, gains, widths], axis=1))


def _draw_bands(
    config: SoundAugmentConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float64], ...]:
    has_low, has_high, is_telephone = (
        rng.random(3) < (config.low_pass_p, config.high_pass_p, config.telephone_p)
    ).tolist()
    low_hz, high_hz = rng.uniform(*config.low_pass_hz), rng.uniform(*config.high_pass_hz)
    low_order = int(rng.integers(*_LOW_PASS_ORDERS, endpoint=True))
    high_order = int(rng.integers(*_HIGH_PASS_ORDERS, endpoint=True))
    if is_telephone:
        return (_filter(_TELEPHONE_ORDER, _TELEPHONE_HZ, kind="bandpass"),)
    low = (_filter(low_order, low_hz, kind="lowpass"),) if has_low else ()
    high = (_filter(high_order, high_hz, kind="highpass"),) if has_high else ()
    return low + high


def _filter(order: int, hz: float | tuple[float, float], *, kind: str) -> NDArray[np.float64]:
    sections: NDArray[np.float64] = butter(order, hz, kind, fs=SAMPLE_RATE, output="sos")
    return sections


def _at_speed(samples: Samples, speed: float) -> Samples:
    """Return sound as fast as asked for: the first of it, or with its end mirrored."""
    spoken = resample_poly(samples, _SPEED_STEPS, round(_SPEED_STEPS * speed))[: len(samples)]
    missing = len(samples) - len(spoken)
    return np.asarray(np.pad(spoken, (0, missing), mode="symmetric"), np.float32)


def _in_room(
    samples: Samples, rng: np.random.Generator, *, rt60_seconds: float, direct_db: float
) -> Samples:
    """Return sound with reverberation, as loud as it was.

    Source: the exponentially decaying noise is that of Moorer, About This Reverberation Business,
    Computer Music Journal 3 (2), 1979.
    """
    num = min(round(rt60_seconds * SAMPLE_RATE), len(samples))
    time = np.arange(num, dtype=np.float32) / SAMPLE_RATE
    answer = rng.standard_normal(num, dtype=np.float32) * np.exp(-_FALL / rt60_seconds * time)
    energy = max(float(np.square(answer).sum()), 1e-9)
    answer *= np.float32(np.sqrt(_power_ratio(-direct_db) / energy))
    heard = samples + oaconvolve(samples, answer)[: len(samples)]
    return _as_loud_as(heard, samples)


def _with_noise(
    samples: Samples, rng: np.random.Generator, *, snr_db: float, colour: float
) -> Samples:
    num_bins = len(samples) // 2 + 1
    parts = rng.standard_normal((2, num_bins), dtype=np.float32)
    hz = np.maximum(_bins_hz(len(samples)), _LOWEST_HZ)
    spectrum = (parts[0] + 1j * parts[1]) * (hz ** (-colour / 2))
    spectrum[0] = 0  # no offset
    noise = np.asarray(fft.irfft(spectrum, len(samples)), np.float32)
    wanted = _power(samples) * _power_ratio(-snr_db)
    return samples + noise * np.float32(np.sqrt(wanted / max(_power(noise), 1e-20)))


def _equalised(samples: Samples, equaliser: _Equaliser) -> Samples:
    """Return sound with another spectrum, as loud as it was."""
    octaves = np.log2(np.maximum(_bins_hz(len(samples)), _LOWEST_HZ))
    gain_db = equaliser.tilt_db * (octaves - np.log2(_TILT_PIVOT_HZ))
    for hz, peak_db, width in equaliser.peaks.astype(np.float32):
        gain_db += peak_db * np.exp(-0.5 * np.square((octaves - np.log2(hz)) / width))
    spectrum = fft.rfft(samples) * 10 ** (gain_db / 20)
    return _as_loud_as(fft.irfft(spectrum, len(samples)), samples)


def _at_level(samples: Samples, drawn: _Drawn) -> Samples:
    """Return sound with a gain, clipped at a share of its peak and at full scale."""
    changed = samples
    if drawn.level_db is not None:
        changed = changed * np.float32(10 ** (drawn.level_db / 20))
    limit = 1.0
    if drawn.clip_share is not None:
        limit = min(drawn.clip_share * float(np.abs(changed).max()), 1.0)
    return np.asarray(changed.clip(-limit, limit), np.float32)


def _bins_hz(num_samples: int) -> NDArray[np.float32]:
    return np.asarray(fft.rfftfreq(num_samples, 1 / SAMPLE_RATE), np.float32)


def _power(samples: Samples) -> float:
    return float(np.square(samples).mean())


def _power_ratio(decibels: float) -> float:
    return float(10 ** (decibels / 10))


def _as_loud_as(changed: NDArray[np.float32], samples: Samples) -> Samples:
    gain = np.sqrt(_power(samples) / max(_power(changed), 1e-20))
    return np.asarray(changed * np.float32(gain), np.float32)
