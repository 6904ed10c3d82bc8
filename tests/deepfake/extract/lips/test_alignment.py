"""A click and a flash of one moment stay within half a frame, whatever the container says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits, MouthConfig, SyncExtractConfig
from deepfake.extract.extractor import ExtractRequest
from deepfake.extract.lips import MouthExtractor
from deepfake.extract.lips.soundtrack import lay_out_sound
from deepfake.media import open_video
from deepfake.media.sound import SAMPLE_RATE, open_sound
from tests.deepfake.media.test_edit_lists import trim
from tests.sample_data import clip_frames
from tests.sound_factory import make_speech
from tests.talking_clip import FPS, flash, write_film

LIMITS = MediaLimits()
HALF_A_FRAME = 0.5 / FPS
FLASH = 1.4
"""Seconds after the beginning of the pictures."""


def _write(path: Path, *, pictures_from: float = 0.0, sound_from: float = 0.0) -> Path:
    dark = np.full((96, 128, 3), 60, np.uint8)
    frames = [dark] * round(3 * FPS)
    frames[round(FLASH * FPS)] = flash(dark)
    samples = np.zeros(3 * SAMPLE_RATE, np.float32)
    at = round((pictures_from + FLASH - sound_from) * SAMPLE_RATE)
    samples[at : at + 160] = 0.8
    return write_film(
        path, frames, samples, pictures_from=pictures_from, sound_from=sound_from, b_frames=2
    )


def _times(path: Path) -> tuple[float, float]:
    """Return when the flash is seen, and when the click is heard."""
    with open_video(path, limits=LIMITS) as video:
        levels = [frame.pixels.mean() for frame in video.read(range(video.info.num_frames))]
        seen = float(video.pts_seconds[int(np.argmax(levels))] + video.start_seconds)
    sound = open_sound(path, limits=LIMITS)
    assert sound is not None
    with sound:
        track = lay_out_sound(sound.read(), max_seconds=60.0)
    return seen, int(np.argmax(np.abs(track.samples) > 0.4)) / SAMPLE_RATE


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_tracks_that_begin_together(tmp_path: Path, suffix: str) -> None:
    seen, heard = _times(_write(tmp_path / f"a{suffix}"))
    assert seen == pytest.approx(FLASH, abs=HALF_A_FRAME)
    assert heard == pytest.approx(seen, abs=HALF_A_FRAME)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("pictures_from", "sound_from"), [(0.0, 0.3), (0.48, 0.0), (2.0, 2.2), (1.0, 0.25)]
)
def test_tracks_that_begin_apart(
    tmp_path: Path, suffix: str, pictures_from: float, sound_from: float
) -> None:
    path = _write(tmp_path / f"a{suffix}", pictures_from=pictures_from, sound_from=sound_from)
    seen, heard = _times(path)
    assert heard == pytest.approx(seen, abs=HALF_A_FRAME)


def test_pictures_of_which_an_edit_list_hides_the_first(tmp_path: Path) -> None:
    path = trim(_write(tmp_path / "a.mp4"), first_frame=10)
    seen, heard = _times(path)
    assert seen == pytest.approx(FLASH - 10 / FPS, abs=1.5 / FPS)
    assert heard == pytest.approx(FLASH, abs=HALF_A_FRAME), "its own edit list is as it was"


@pytest.mark.parametrize(("pictures_from", "sound_from"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4)])
def test_mouths_stand_beside_their_own_sound(
    tmp_path: Path, pictures_from: float, sound_from: float
) -> None:
    """A frame that is brighter lies as far from the beginning of its run as the click."""
    still = clip_frames(1, side=192)[0]
    frames = [still] * (4 * FPS)
    number = round(2.0 * FPS)
    frames[number] = flash(still)
    samples = 0.3 * make_speech(4.0)
    at = round((pictures_from + number / FPS - sound_from) * SAMPLE_RATE)
    samples[at : at + 80] = 0.95
    path = write_film(
        tmp_path / "a.mp4", frames, samples, pictures_from=pictures_from, sound_from=sound_from
    )
    config = SyncExtractConfig(mouths=MouthConfig(max_runs=1, run_seconds=3.0))
    found = MouthExtractor(config).find(ExtractRequest(str(path), "0" * 64))
    assert len(found.runs) == 1, found.outcome
    run = found.runs[0]
    seen = int(np.argmax(run.mouths.mean(axis=(1, 2)))) / config.mouths.fps
    clicks = np.flatnonzero(np.abs(run.samples) > 0.7)
    heard = clicks[0] / SAMPLE_RATE - config.mouths.lead_seconds
    assert seen == pytest.approx(heard, abs=HALF_A_FRAME)
    assert run.pts_seconds + seen == pytest.approx(pictures_from + 2.0, abs=HALF_A_FRAME)
