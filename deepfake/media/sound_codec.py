"""Encode and decode windows of sound, in the same way for shards and for scoring."""

from __future__ import annotations

import io

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from deepfake.errors import DecodeError, UnsupportedMediaError
from deepfake.media.sound import SAMPLE_RATE, Samples

__all__ = ["decode_sound", "encode_sound", "round_trip_sound"]

_FULL_SCALE = 32_767.0
"""Of 16 bits."""


def encode_sound(samples: Samples) -> bytes:
    """Encode a window of sound as shards store it: FLAC of 16 bits.

    Args:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`.

    Raises:
        UnsupportedMediaError: They have another shape or type, or some are no numbers.
    """
    coded = _to_int16(samples)
    target = io.BytesIO()
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        stream.codec_context.format = "s16"
        stream.codec_context.open(strict=False)
        size = stream.codec_context.frame_size or len(coded)
        for at in range(0, len(coded), size):
            block = np.ascontiguousarray(coded[None, at : at + size])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def round_trip_sound(samples: Samples) -> Samples:
    """Return what `decode_sound` returns of what `encode_sound` makes of a window, without both.

    Args:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`.

    Raises:
        UnsupportedMediaError: As of `encode_sound`.
    """
    return _to_float32(_to_int16(samples))


def decode_sound(encoded: bytes | memoryview) -> Samples:
    """Decode a window of sound.

    Args:
        encoded: From `encode_sound`, or a view of it in a shard.

    Returns:
        Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`.

    Raises:
        DecodeError: The bytes are not a complete FLAC stream of that kind.
    """
    try:
        with av.open(io.BytesIO(encoded), format="flac") as container:
            stream = container.streams.audio[0]
            rate, channels = stream.rate, stream.codec_context.channels
            declared = stream.duration
            blocks = [frame.to_ndarray()[0] for frame in container.decode(stream)]
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        raise DecodeError(f"not a FLAC stream ({error})") from error
    if rate != SAMPLE_RATE or channels != 1:
        raise DecodeError(f"{channels} channels of {rate} Hz, 1 of {SAMPLE_RATE} was expected")
    samples = np.concatenate([*blocks, np.empty(0, np.int16)])
    if not len(samples) or (declared and len(samples) < declared):
        raise DecodeError(f"the sound is cut off: {len(samples)} of {declared} samples")
    return _to_float32(samples)


def _to_int16(samples: Samples) -> NDArray[np.int16]:
    if samples.ndim != 1 or samples.dtype != np.float32 or not len(samples):
        raise UnsupportedMediaError(f"sound is (N,) float32, got {samples.shape} {samples.dtype}")
    if not np.isfinite(samples).all():
        raise UnsupportedMediaError("sound holds samples that are no numbers")
    return np.rint(samples.clip(-1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def _to_float32(coded: NDArray[np.int16]) -> Samples:
    return np.asarray(coded / _FULL_SCALE, dtype=np.float32)
