"""Compress a window of sound and decompress it again: files, calls, headsets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray
from scipy.signal import butter, correlate, sosfilt

from deepfake.errors import UnsupportedMediaError
from deepfake.media.containers import translate_ffmpeg_errors
from deepfake.media.sound import SAMPLE_RATE, Samples

__all__ = ["available_sound_codecs", "pass_through_codec"]

_LEAD = SAMPLE_RATE // 10
"""Samples before the window, mirrored: it was cut out of longer sound, so that the codec's start is
not in it."""
_TAIL = SAMPLE_RATE // 4
"""Samples behind it; more than the delay of each codec with that of its resampling."""

_PROBE_SECONDS, _PROBE_HZ, _PROBE_LEVEL = 1.5, 3000.0, 0.1
"""Noise by which a delay is measured; telephones pass it whole."""


@dataclass(frozen=True, slots=True)
class _Codec:
    """How FFmpeg is asked for a codec.

    Attributes:
        encoder: Name of the encoder.
        decoder: Name of the decoder.
        rate: Samples a second, where none is asked for.
        bit_rate: Bits a second, where none is asked for; None where the codec has only one.
        layout: Channels; the window is put into all of them.
        options: Of the encoder: less of a search than by default, which costs twice as much.
    """

    encoder: str
    decoder: str
    rate: int
    bit_rate: int | None = None
    layout: str = "mono"
    options: dict[str, str] = field(default_factory=dict)


_CODECS = {
    "a_law": _Codec("pcm_alaw", "pcm_alaw", 8_000),
    "aac": _Codec("aac", "aac", 16_000, 64_000, options={"aac_coder": "fast"}),
    "amr_nb": _Codec("libopencore_amrnb", "amrnb", 8_000, 12_200),
    "g722": _Codec("g722", "g722", 16_000),
    "mp3": _Codec("libmp3lame", "mp3float", 16_000, 64_000, options={"compression_level": "7"}),
    "mu_law": _Codec("pcm_mulaw", "pcm_mulaw", 8_000),
    "opus": _Codec("libopus", "opus", 16_000, 32_000, options={"compression_level": "5"}),
    "sbc": _Codec("sbc", "sbc", 16_000, 128_000),
    # FFmpeg's own encoder, of two channels and one quality.
    "vorbis": _Codec("vorbis", "vorbis", 16_000, None, "stereo", {"strict": "experimental"}),
}


def available_sound_codecs() -> tuple[str, ...]:
    """Return the codecs that this build of FFmpeg encodes and decodes, in alphabetical order."""
    return tuple(
        name for name, c in _CODECS.items() if _exists(c.encoder, "w") and _exists(c.decoder, "r")
    )


def pass_through_codec(
    samples: Samples, *, codec: str, bit_rate: int | None = None, rate: int | None = None
) -> Samples:
    """Return a window of sound after compression, without the codec's delay.

    Args:
        samples: Shape (N,), -1 to 1, at `SAMPLE_RATE`; is not changed.
        codec: One of `available_sound_codecs`.
        bit_rate: Bits a second; None for the codec's usual. Codecs of one bit rate ignore it.
        rate: Samples a second that the codec works at; None for its usual. What is above half of
            it is lost.

    Returns:
        Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`.

    Raises:
        UnsupportedMediaError: The codec is unknown, or this build of FFmpeg lacks it.
        DecodeError: FFmpeg rejects the bit rate or the rate.
    """
    available = available_sound_codecs()
    if codec not in available:
        allowed = ", ".join(available)
        raise UnsupportedMediaError(f"no sound codec {codec!r} here; there are {allowed}")
    if not len(samples):
        return samples.copy()
    asked = _CODECS[codec]
    rate = rate or asked.rate
    padded = np.pad(samples.astype(np.float32), (_LEAD, _TAIL), mode="symmetric")
    with translate_ffmpeg_errors(Path(f"window.{codec}"), doing="compressing sound"):
        begin = _LEAD + _delay(codec, rate)
        decoded = _round_trip(padded, asked, bit_rate=bit_rate, rate=rate)
    return np.asarray(decoded[begin : begin + len(samples)].clip(-1.0, 1.0), np.float32)


def _exists(name: str, mode: str) -> bool:
    try:
        av.Codec(name, mode)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=64)
def _delay(codec: str, rate: int) -> int:
    """Return by how many samples a codec delays sound, measured on noise.

    Encoders and decoders disagree on who declares and who cuts off what was put in front.
    """
    noise = np.random.default_rng(0).standard_normal(round(_PROBE_SECONDS * SAMPLE_RATE))
    low = sosfilt(butter(4, _PROBE_HZ, fs=SAMPLE_RATE, output="sos"), _PROBE_LEVEL * noise)
    probe = np.pad(low.astype(np.float32), (0, _TAIL))
    decoded = _round_trip(probe, _CODECS[codec], bit_rate=None, rate=rate)
    likeness = correlate(decoded, probe, mode="full", method="fft")
    lags = likeness[len(probe) - 1 : len(probe) - 1 + _TAIL]  # 0 and later
    return int(np.argmax(lags))


def _round_trip(samples: Samples, codec: _Codec, *, bit_rate: int | None, rate: int) -> Samples:
    """Return samples, shape (N,), as the decoder returns them, delayed, shape (about N,)."""
    encoder = _open_encoder(codec, bit_rate=bit_rate, rate=rate)
    decoder: Any = av.CodecContext.create(codec.decoder, "r")
    decoder.sample_rate, decoder.layout, decoder.thread_count = rate, codec.layout, 1
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    back = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    blocks = [
        resampled.to_ndarray()[0]
        for packet in _packets(samples, encoder)
        for frame in decoder.decode(packet)
        for resampled in back.resample(frame)
    ]
    blocks += [resampled.to_ndarray()[0] for resampled in back.resample(None)]
    decoded: NDArray[np.float32] = np.concatenate([*blocks, np.zeros(len(samples), np.float32)])
    return decoded


def _open_encoder(codec: _Codec, *, bit_rate: int | None, rate: int) -> Any:
    encoder: Any = av.CodecContext.create(codec.encoder, "w")
    encoder.sample_rate, encoder.layout, encoder.thread_count = rate, codec.layout, 1
    encoder.format = encoder.codec.audio_formats[0].name
    encoder.time_base = Fraction(1, rate)
    if codec.bit_rate is not None:
        encoder.bit_rate = bit_rate or codec.bit_rate
    encoder.options = codec.options
    encoder.open(strict=False)
    return encoder


def _packets(samples: Samples, encoder: Any) -> Iterator[Any]:
    """Yield the packets of samples, shape (N,), and None behind the last, which drains decoders."""
    resampler = AudioResampler(
        format=encoder.format,
        layout=encoder.layout,
        rate=encoder.sample_rate,
        frame_size=encoder.frame_size or None,
    )
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    for resampled in (*resampler.resample(frame), *resampler.resample(None)):
        yield from encoder.encode(resampled)
    yield from (packet for packet in encoder.encode(None) if packet.size)
    yield None
