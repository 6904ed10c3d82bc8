"""WAV as browsers play it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepfake.config import MediaLimits
from deepfake.media.sound import SAMPLE_RATE, open_sound
from deepfake.media.wav import encode_wav
from tests.sound_factory import make_speech


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    sound = make_speech(1.5)
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(sound))
    reader = open_sound(path, limits=MediaLimits())
    assert reader is not None
    with reader:
        info, pieces = reader.info, [piece.samples for piece in reader.read()]
    assert (info.codec, info.sample_rate, info.num_channels) == ("pcm_s16le", SAMPLE_RATE, 1)
    assert np.abs(np.concatenate(pieces) - sound).max() < 1e-4


def test_what_is_too_loud_is_cut_off_and_does_not_wrap() -> None:
    values = np.frombuffer(encode_wav(np.array([2.0, -2.0], np.float32))[44:], "<i2")
    assert values.tolist() == [32_767, -32_767]
