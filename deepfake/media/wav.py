"""Write sound as WAV, which every browser plays."""

from __future__ import annotations

import io
import wave

import numpy as np

from deepfake.media.sound import SAMPLE_RATE, Samples

__all__ = ["encode_wav"]

_MAX_VALUE = 32_767


def encode_wav(samples: Samples) -> bytes:
    """Return a WAV file of one channel, 16 bits a sample, at `SAMPLE_RATE`.

    Args:
        samples: Shape (N,), -1 to 1; what is beyond is cut off.

    Example:
        >>> len(encode_wav(np.zeros(16_000, np.float32)))
        32044
    """
    values = np.rint(np.clip(samples, -1.0, 1.0) * _MAX_VALUE).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(values.tobytes())
    return buffer.getvalue()
