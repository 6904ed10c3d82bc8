"""Seeds of sound: short files of each format, with something that a detector takes for speech."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["sound_seeds"]

_RATE = 16_000
_SECONDS = 2.5
_FORMATS = {
    "a.wav": "pcm_s16le",
    "b.flac": "flac",
    "c.mp3": "libmp3lame",
    "d.m4a": "aac",
    "e.ogg": "libopus",
}


def sound_seeds() -> dict[str, bytes]:
    """Return the content of a small file of each format, by name."""
    seeds = {}
    with tempfile.TemporaryDirectory() as name:
        for file, codec in _FORMATS.items():
            path = Path(name) / file
            _write(path, codec=codec)
            seeds[file] = path.read_bytes()
    return seeds


def _write(path: Path, *, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=_RATE, layout="mono")
        context = stream.codec_context
        size = context.frame_size if context.open(strict=False) is None else 0
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=_RATE, frame_size=size or 1024
        )
        frame = av.AudioFrame.from_ndarray(_buzz()[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _RATE, 0
        for resampled in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))


def _buzz() -> NDArray[np.float32]:
    """Return pulses whose loudness changes as that of syllables does, shape (N,)."""
    time = np.arange(round(_SECONDS * _RATE)) / _RATE
    pulses = np.diff(np.floor(130 * time), prepend=0.0)
    rings = np.exp(-np.arange(160) / 30) * np.sin(2 * np.pi * 700 / _RATE * np.arange(160))
    voiced = np.convolve(pulses, rings)[: len(time)]
    return np.asarray(0.4 * voiced * (1.2 + np.sin(2 * np.pi * 4 * time)) / 2.2, np.float32)
