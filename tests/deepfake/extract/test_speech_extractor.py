"""A file becomes windows of speech, or a row that says why there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits, SpeechConfig, SpeechExtractConfig
from deepfake.extract.extractor import ExtractRequest
from deepfake.extract.speech_extractor import ExtractedSpeech, SpeechExtractor
from deepfake.media.sound import SAMPLE_RATE
from deepfake.media.sound_codec import decode_sound
from deepfake.types import Kind, Status
from tests.media_factory import noise_picture, write_clip, write_still
from tests.sound_factory import make_speech, write_samples


def _extract(path: Path, config: SpeechExtractConfig | None = None) -> ExtractedSpeech:
    extractor = SpeechExtractor(config or SpeechExtractConfig())
    return extractor.extract(ExtractRequest(str(path), "0" * 64))


def _write_speech(path: Path, *, seconds: float = 9.0, codec: str = "flac") -> Path:
    return write_samples(path, make_speech(seconds)[None], codec=codec)


def test_windows_are_stored_as_they_are_scored(tmp_path: Path) -> None:
    found = _extract(_write_speech(tmp_path / "speech.flac"))
    assert (found.kind, found.outcome.status) == (Kind.AUDIO, Status.OK)
    assert found.outcome.num_windows == len(found.windows) >= 2
    assert found.outcome.details == {"sound_codec": "flac", "sample_rate": SAMPLE_RATE}
    for window in found.windows:
        samples = decode_sound(window.encoded)
        assert samples.shape == (4 * SAMPLE_RATE,)
        loudness = 10 * np.log10(np.square(samples, dtype=np.float64).mean())
        assert window.loudness_dbfs == pytest.approx(loudness, abs=0.01)
        assert 1_000 < window.bandwidth_hz <= SAMPLE_RATE / 2
    assert found.outcome.speech_seconds == pytest.approx(
        max(w.end_seconds for w in found.windows) - found.windows[0].pts_seconds, abs=2.0
    )


def test_a_narrow_band_is_measured(tmp_path: Path) -> None:
    wide = _extract(_write_speech(tmp_path / "wide.flac"))
    narrow = _extract(_write_speech(tmp_path / "narrow.wav", codec="pcm_mulaw"))
    telephone = make_speech(9.0)[::2]
    path = write_samples(tmp_path / "telephone.wav", telephone[None], codec="pcm_alaw", rate=8_000)
    found = _extract(path)
    assert found.outcome.details["sample_rate"] == 8_000
    assert found.windows[0].bandwidth_hz < min(4_500, wide.windows[0].bandwidth_hz)
    assert narrow.outcome.details["sound_codec"] == "pcm_mulaw"


def test_too_little_speech_is_said(tmp_path: Path) -> None:
    found = _extract(_write_speech(tmp_path / "short.flac", seconds=1.0))
    assert found.outcome.status is Status.NO_SPEECH
    assert found.windows == ()
    assert "of speech, 2 s are needed" in str(found.outcome.message)


def test_silence_has_no_speech(tmp_path: Path) -> None:
    path = write_samples(
        tmp_path / "silence.wav", np.zeros((1, 80_000), np.float32), codec="pcm_s16le"
    )
    found = _extract(path)
    assert (found.outcome.status, found.outcome.speech_seconds) == (Status.NO_SPEECH, 0.0)


def test_files_without_sound_say_so(tmp_path: Path) -> None:
    picture = _extract(write_still(tmp_path / "a.png", noise_picture(width=64, height=64)))
    assert (picture.kind, picture.outcome.status) == (Kind.IMAGE, Status.NO_SPEECH)
    assert "picture" in str(picture.outcome.message)
    clip = _extract(write_clip(tmp_path / "b.mp4", num_frames=5))
    assert (clip.kind, clip.outcome.status) == (Kind.VIDEO, Status.NO_SPEECH)
    assert clip.outcome.message == "it has no sound"


def test_what_cannot_be_read_is_a_status(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound at all, just words\n" * 20)
    assert _extract(text).outcome.status is Status.UNSUPPORTED
    assert _extract(tmp_path / "gone.wav").outcome.status is Status.VANISHED
    large = _write_speech(tmp_path / "large.flac")
    limits = MediaLimits(max_bytes=1_000)
    assert _extract(large, SpeechExtractConfig(limits=limits)).outcome.status is Status.TOO_LARGE


def test_what_lies_behind_the_limit_is_named(tmp_path: Path) -> None:
    config = SpeechExtractConfig(speech=SpeechConfig(max_sound_seconds=5.0))
    found = _extract(_write_speech(tmp_path / "long.flac", seconds=12.0), config)
    assert found.outcome.message == "only its first 5 s were listened to"
    assert max(window.end_seconds for window in found.windows) <= 5.01
