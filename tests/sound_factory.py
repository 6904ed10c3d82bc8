"""Write sound files of many formats, each a tone whose frequency and length a test can measure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["dominant_hz", "make_tone", "mux_tone", "write_samples", "write_tone"]

_BLOCK = 1024


def make_tone(
    *, hz: float = 440.0, seconds: float = 2.0, rate: int = 16_000, level: float = 0.5
) -> NDArray[np.float32]:
    """Return a sine, shape (N,)."""
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(level * np.sin(2 * np.pi * hz * time), dtype=np.float32)


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
