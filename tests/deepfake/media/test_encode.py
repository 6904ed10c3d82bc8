"""Writing videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, EmptyMediaError, MediaError
from deepfake.media import open_video, write_video
from tests.media_factory import frame_number, index_frame

LIMITS = MediaLimits()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    frames = [index_frame(i) for i in range(30)]
    path = write_video(tmp_path / "w.mp4", iter(frames), fps=Fraction(30000, 1001), crf=10)
    with open_video(path, limits=LIMITS) as video:
        assert video.info.fps == Fraction(30000, 1001)
        read = list(video.read(range(30)))
    assert [frame_number(f.pixels) for f in read] == list(range(30))
    assert np.abs(read[7].pixels.astype(int) - frames[7]).mean() < 8


def test_quality_matters(tmp_path: Path) -> None:
    frames = [index_frame(i) for i in range(30)]
    fine = write_video(tmp_path / "fine.mp4", frames, fps=25, crf=10)
    coarse = write_video(tmp_path / "coarse.mp4", frames, fps=25, crf=45)
    assert coarse.stat().st_size < fine.stat().st_size


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptyMediaError, match="no frames"):
        write_video(tmp_path / "e.mp4", [], fps=25)
    with pytest.raises(DecodeError, match="the first was 160 x 96"):
        write_video(tmp_path / "m.mp4", [index_frame(0), index_frame(0, width=80)], fps=25)
    for wrong in ({"codec": "no-such-codec"}, {"pixel_format": "no-such-format"}):
        with pytest.raises(MediaError):
            write_video(tmp_path / "c.mp4", [index_frame(0)], fps=25, **wrong)  # type: ignore[arg-type]
    with pytest.raises(MediaError):
        write_video(tmp_path / "no folder" / "c.mp4", [index_frame(0)], fps=25)
