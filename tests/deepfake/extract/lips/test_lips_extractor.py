"""A file becomes runs of mouths with sound, or a row that says why there are none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MouthConfig, SyncExtractConfig
from deepfake.extract.extractor import ExtractRequest
from deepfake.extract.lips import MouthExtractor
from deepfake.media.run_codec import decode_run
from deepfake.media.sound import SAMPLE_RATE
from deepfake.types import Kind, Status
from tests.media_factory import noise_picture, truncate, write_clip, write_still
from tests.sample_data import clip_frames
from tests.sound_factory import make_speech, write_samples
from tests.talking_clip import FPS, write_film, write_talking_clip


@pytest.fixture(scope="module")
def extractor() -> MouthExtractor:
    return MouthExtractor(SyncExtractConfig(mouths=MouthConfig(max_runs=2)))


def _request(path: Path) -> ExtractRequest:
    return ExtractRequest(str(path), "0" * 64)


def test_runs_are_stored_as_they_are_scored(tmp_path: Path, extractor: MouthExtractor) -> None:
    path = write_talking_clip(tmp_path / "a.mp4", seconds=6.0)
    stored, found = extractor.extract(_request(path)), extractor.find(_request(path))
    assert (found.kind, found.outcome.status) == (Kind.VIDEO, Status.OK)
    assert stored.outcome.num_windows == len(stored.runs) == len(found.runs) == 2
    config = extractor.config.mouths
    for kept, run in zip(stored.runs, found.runs, strict=True):
        again = decode_run(kept.encoded, record=asdict(kept))
        np.testing.assert_array_equal(again.mouths, run.mouths)
        np.testing.assert_array_equal(again.samples, run.samples)
        assert (again.pts_seconds, again.sound_span) == (run.pts_seconds, run.sound_span)
        assert run.mouths.shape == (50, config.size_px, config.size_px)
        assert len(run.samples) == round((2.0 + 2 * config.lead_seconds) * SAMPLE_RATE)
        assert run.end_seconds - run.pts_seconds == pytest.approx(2.0)
        assert 0.5 < run.speech_seconds <= 2.0
    assert [(run.run_index, run.track_id) for run in found.runs] == [(0, 0), (1, 0)]
    assert stored.outcome.details["sound_codec"] == "aac"
    assert stored.outcome.frames_read == stored.outcome.frames_wanted == 100


def test_mouths_of_a_still_picture_are_alike(tmp_path: Path, extractor: MouthExtractor) -> None:
    path = write_talking_clip(tmp_path / "a.mp4", seconds=3.0)
    (run,) = extractor.find(_request(path)).runs
    mouths = run.mouths.astype(np.float64)
    assert mouths.std(axis=(1, 2)).min() > 5, "there is something to see"
    assert np.abs(mouths - mouths.mean(axis=0)).mean() < 4


def test_two_faces_have_two_tracks(tmp_path: Path, extractor: MouthExtractor) -> None:
    small, large = clip_frames(1, side=128)[0], clip_frames(1, side=256)[0]
    picture = np.full((256, 400, 3), 90, np.uint8)
    picture[:256, :256], picture[64:192, 264:392] = large, small
    path = write_film(tmp_path / "a.mp4", [picture] * (3 * FPS), make_speech(3.0))
    found = extractor.find(_request(path))
    assert [(run.run_index, run.track_id) for run in found.runs] == [(0, 0), (0, 1)]
    assert found.runs[0].face_px > 1.5 * found.runs[1].face_px
    np.testing.assert_array_equal(found.runs[0].samples, found.runs[1].samples)


def test_what_is_missing_is_said(tmp_path: Path, extractor: MouthExtractor) -> None:
    speech = make_speech(4.0)[None]
    grey = write_talking_clip(tmp_path / "grey.mp4", has_face=False)
    short = write_talking_clip(tmp_path / "short.mp4", seconds=1.3)
    quiet = write_film(
        tmp_path / "quiet.mp4", clip_frames(1, side=128) * 50, np.zeros(32_000, np.float32)
    )
    cases = {
        write_still(tmp_path / "a.png", noise_picture()): (Status.NO_SPEECH, Kind.IMAGE, "picture"),
        write_clip(tmp_path / "silent.mp4"): (Status.NO_SPEECH, Kind.VIDEO, "no sound"),
        write_samples(tmp_path / "a.flac", speech, codec="flac"): (
            Status.NO_PICTURE,
            Kind.AUDIO,
            "no picture",
        ),
        quiet: (Status.NO_SPEECH, Kind.VIDEO, "0.0 s of speech, 1 s are needed"),
        grey: (Status.NO_FACE, Kind.VIDEO, "no face is seen for 1.5 s at a time"),
        short: (Status.NO_FACE, Kind.VIDEO, "no 1.5 s of picture"),
    }
    for path, (status, kind, message) in cases.items():
        found = extractor.extract(_request(path))
        assert (found.outcome.status, found.kind, found.runs) == (status, kind, ()), path
        assert message in str(found.outcome.message)


def test_bad_files_are_outcomes(tmp_path: Path, extractor: MouthExtractor) -> None:
    assert extractor.extract(_request(tmp_path / "gone.mp4")).outcome.status is Status.VANISHED
    (tmp_path / "text.mp4").write_text("no video at all\n" * 50)
    assert extractor.find(_request(tmp_path / "text.mp4")).outcome.status is Status.UNSUPPORTED
    whole = write_talking_clip(tmp_path / "a.mkv", seconds=5.0)
    cut = extractor.extract(_request(truncate(whole, tmp_path / "cut.mkv", share=0.6)))
    assert cut.outcome.status in (Status.OK, Status.NO_FACE)
    assert all(run.end_seconds < 3.6 for run in cut.runs)
