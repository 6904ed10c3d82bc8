"""Voices on the page: the strongest window as sound, and uploads of sound."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.detectors.identity import DetectorIdentity
from deepfake.views.webapp import upload_queue
from deepfake.views.webapp.settings import AppSettings
from deepfake.views.webapp.upload_page import _render_report
from deepfake.views.webapp.upload_queue import UploadQueue, UploadResult
from deepfake.views.webapp.voice_clip import clip_request, cut_voice_clip
from deepfake.views.webapp.voice_widgets import describe_voice
from tests.sample_data import make_detector
from tests.sound_factory import dominant_hz, make_speech, make_tone, write_samples
from tests.untrained_voice_detector import write_voice_bundle

_LIMITS = MediaLimits()


def _samples(clip: bytes | None) -> Any:
    assert clip is not None
    with wave.open(io.BytesIO(clip)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth()) == (1, 2)
        assert reader.getframerate() == 16_000
        return np.frombuffer(reader.readframes(reader.getnframes()), "<i2") / 32_767


def _request(path: Path, begin: float, end: float) -> Any:
    row = {"uri": str(path), "strongest_voice_pts_seconds": begin}
    return clip_request({**row, "strongest_voice_end_seconds": end}, limits=_LIMITS)


def test_the_strongest_window_is_cut_out(tmp_path: Path) -> None:
    tones = [make_tone(hz=hz, seconds=2.0) for hz in (400.0, 1000.0, 2500.0)]
    path = write_samples(tmp_path / "a.wav", np.concatenate(tones)[None], codec="pcm_s16le")
    samples = _samples(cut_voice_clip(None, _request(path, 2.0, 4.0)))
    assert len(samples) == 2 * 16_000
    assert dominant_hz(samples.astype(np.float32)) == pytest.approx(1000.0, abs=1)
    assert len(_samples(cut_voice_clip(None, _request(path, 1.25, 4.75)))) == 3.5 * 16_000


def test_a_window_over_long_pauses_is_not_played_whole(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "a.wav", make_tone()[None], codec="pcm_s16le")
    assert len(_samples(cut_voice_clip(None, _request(path, 0.0, 500.0)))) == 60 * 16_000


def test_what_cannot_be_read_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF of nothing")
    assert cut_voice_clip(None, _request(tmp_path / "a.wav", 0.0, 1.0)) is None
    assert cut_voice_clip(None, _request(tmp_path / "none.wav", 0.0, 1.0)) is None
    nothing = {"uri": "/a.wav", "strongest_voice_pts_seconds": None}
    assert clip_request({**nothing, "strongest_voice_end_seconds": None}, limits=_LIMITS) is None


def test_a_voice_that_was_not_judged_says_why() -> None:
    row = {"uri": "a.wav", "prob_fake_voice": None, "reason_voice": "too little speech"}
    assert describe_voice(row) == "a.wav. too little speech."


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UploadResult]:
    """Return the result of an upload of speech, judged by untrained detectors."""
    folder = tmp_path_factory.mktemp("voice")
    voice = DetectorIdentity(write_voice_bundle(folder / "voice"), "tried-voice")
    path = write_samples(folder / "a.wav", make_speech(9.0)[None], codec="pcm_s16le")
    weights = str(make_detector(folder / "faces"))
    queue = UploadQueue(AppSettings(data_root=folder / "none"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            upload_queue, "resolve_voice_detector", lambda data_root: (voice, "as the test says")
        )
        job = queue.submit(path.read_bytes(), name="call.wav", weights=[weights])
        assert job.future is not None
        job.future.result(timeout=300)
    queue.close()
    assert job.error is None
    yield job.results[0]


def test_an_upload_of_sound_is_judged_by_its_voice(result: UploadResult) -> None:
    score = result.score
    assert (score["kind"], score["status"]) == ("audio", "no_picture")
    assert score["verdict_voice"] in ("real", "uncertain", "fake")
    assert result.voice_detector == "tried-voice" and result.voice_notes
    assert result.evidence is not None and result.evidence.record.voice is not None
    voice = result.evidence.record.voice
    assert voice.waveform and voice.strongest is not None and voice.fake_from == 0.65
    assert voice.strongest.pts_seconds == score["strongest_voice_pts_seconds"]
    begin, end = voice.strongest.pts_seconds, voice.strongest.end_seconds
    assert len(_samples(result.voice_clip)) == round((end - begin) * 16_000)


def test_its_report_has_the_waveform_and_no_sound(result: UploadResult) -> None:
    page = _render_report(result).decode()
    assert "call.wav" in page and '"waveform":[[' in page and "tried-voice" in page
    assert "RIFF" not in page and "audio/wav" not in page


def test_without_a_detector_of_voices_there_is_none(tmp_path: Path) -> None:
    settings = AppSettings(data_root=tmp_path / "none")
    found = upload_queue._find_voice_detector(settings)
    assert found is None or found.path.name == "packaged_voice"
