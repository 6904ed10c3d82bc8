"""Make tones and sound that resembles speech, and write sound files of many formats."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

__all__ = [
    "add_sound",
    "dominant_hz",
    "make_speech",
    "make_tone",
    "make_vowels",
    "mux_tone",
    "write_samples",
    "write_tone",
]

_BLOCK = 1024


def make_tone(
    *, hz: float = 440.0, seconds: float = 2.0, rate: int = 16_000, level: float = 0.5
) -> NDArray[np.float32]:
    """Return a sine, shape (N,)."""
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(level * np.sin(2 * np.pi * hz * time), dtype=np.float32)


def make_vowels(seconds: float, *, seed: int = 0, rate: int = 16_000) -> NDArray[np.float32]:
    """Return something that a detector of voices takes for one: pulses through moving formants."""
    rng, num = np.random.default_rng(seed), round(seconds * rate)
    pitch = 120 + 15 * np.sin(2 * np.pi * 0.7 * np.arange(num) / rate)
    pulses = np.diff(np.floor(np.cumsum(pitch / rate)), prepend=0.0)
    sound, at = np.zeros(num), 0
    while at < num:
        end = min(at + round(rng.uniform(0.12, 0.25) * rate), num)
        vowel = pulses[at:end] + 0.002 * rng.standard_normal(end - at)
        for hz, width in zip(
            rng.uniform([300, 900, 2300], [800, 1800, 2900]), (80, 110, 160), strict=True
        ):
            pole = np.exp(-np.pi * width / rate)
            angle = 2 * np.pi * hz / rate
            vowel = lfilter([1 - pole], [1, -2 * pole * np.cos(angle), pole**2], vowel)
        sound[at:end] = vowel / np.abs(vowel).max()
        at = end
    return np.asarray(0.5 * sound, np.float32)


def make_speech(seconds: float, *, seed: int = 0) -> NDArray[np.float32]:
    """Return vowels with a consonant of noise, 3 to 7.5 kHz, and a pause every 0.4 seconds."""
    rate, rng = 16_000, np.random.default_rng([seed, 1])
    vowels = make_vowels(seconds, seed=seed)
    noise = rng.standard_normal(len(vowels))
    hiss = sosfilt(butter(3, (3000, 7500), "bandpass", fs=rate, output="sos"), noise)
    place = np.arange(len(vowels)) / rate % 0.4
    soft = np.hanning(rate // 50) / np.hanning(rate // 50).sum()
    vowel_gain = np.convolve(place < 0.26, soft, mode="same")
    hiss_gain = 0.08 * np.convolve((place >= 0.26) & (place < 0.35), soft, mode="same")
    return np.asarray(vowel_gain * vowels + hiss_gain * hiss + 3e-4 * noise, np.float32)


def dominant_hz(samples: NDArray[np.float32], *, rate: int = 16_000) -> float:
    """Return the frequency with the most power."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def write_tone(
    path: Path,
    *,
    codec: str,
    rate: int = 16_000,
    layout: str = "mono",
    hz: float = 440.0,
    seconds: float = 2.0,
    level: float = 0.5,
) -> Path:
    """Write a tone, the same in all channels."""
    num_channels = av.AudioLayout(layout).nb_channels
    tone = make_tone(hz=hz, seconds=seconds, rate=rate, level=level)
    return write_samples(path, np.tile(tone, (num_channels, 1)), codec=codec, rate=rate)


def write_samples(
    path: Path, channels: NDArray[np.float32], *, codec: str, rate: int = 16_000
) -> Path:
    """Write channels, shape (C, N), -1 to 1."""
    with av.open(str(path), "w") as container:
        stream = _add_stream(container, codec=codec, rate=rate, num_channels=len(channels))
        mux_tone(container, stream, channels, rate=rate)
    return path


def add_sound(
    video: Path, target: Path, samples: NDArray[np.float32], *, rate: int = 16_000
) -> Path:
    """Write a copy of a silent video, its packets as they are, with sound of one channel."""
    with av.open(str(video)) as source, av.open(str(target), "w") as container:
        pictures = source.streams.video[0]
        copied = container.add_stream_from_template(pictures)
        sound = _add_stream(container, codec="aac", rate=rate, num_channels=1)
        for packet in source.demux(pictures):
            if packet.dts is not None:
                packet.stream = copied
                container.mux(packet)
        mux_tone(container, sound, samples[None], rate=rate)
    return target


def mux_tone(
    container: Any,
    stream: Any,
    channels: NDArray[np.float32],
    *,
    rate: int,
    begin_seconds: float = 0.0,
) -> None:
    """Encode channels into a stream; their first sample is shown at `begin_seconds`."""
    layout = _LAYOUTS[len(channels)]
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout=layout, rate=rate, frame_size=_frame_size(stream)
    )
    first = round(begin_seconds * rate)
    for at in range(0, channels.shape[1], _BLOCK):
        block = np.ascontiguousarray(channels[:, at : at + _BLOCK], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, first + at, Fraction(1, rate)
        for resampled in resampler.resample(frame):
            container.mux(stream.encode(resampled))
    for resampled in resampler.resample(None):
        container.mux(stream.encode(resampled))
    container.mux(stream.encode(None))


_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def _add_stream(container: Any, *, codec: str, rate: int, num_channels: int) -> Any:
    stream = container.add_stream(codec, rate=rate, layout=_LAYOUTS[num_channels])
    stream.options = {"strict": "experimental"}  # FFmpeg's own encoder of Vorbis
    stream.bit_rate = 12_200 if codec == "libopencore_amrnb" else 128_000
    formats: Sequence[Any] = stream.codec_context.codec.audio_formats or ()
    if formats:
        stream.codec_context.format = formats[0].name
    return stream


def _frame_size(stream: Any) -> int | None:
    stream.codec_context.open(strict=False)
    return stream.codec_context.frame_size or None
