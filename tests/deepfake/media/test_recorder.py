"""Recordings can be played, also after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import ConfigError, MediaError
from deepfake.media import VideoRecorder, open_video
from tests.media_factory import frame_number, index_frame
from tests.paths import CHECKOUT

_TIMES = [0.0, 0.1, 0.12, 0.5, 1.5, 1.51]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_each_frame_is_shown_at_its_own_time(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with VideoRecorder(path) as recorder:
        for index, seconds in enumerate(_TIMES):
            recorder.write(index_frame(index), pts_seconds=seconds)
    with open_video(path, limits=MediaLimits()) as reader:
        np.testing.assert_allclose(reader.pts_seconds, _TIMES, atol=0.0011)
        numbers = [frame_number(frame.pixels) for frame in reader.read(range(6))]
    assert numbers == list(range(6))


def test_odd_and_changing_sizes_are_brought_to_one(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoRecorder(path) as recorder:
        recorder.write(index_frame(0, width=161, height=97), pts_seconds=0.0)
        recorder.write(index_frame(1, width=320, height=192), pts_seconds=0.0)  # no later
        recorder.write(index_frame(2, width=160, height=96), pts_seconds=0.1)
    with open_video(path, limits=MediaLimits()) as reader:
        assert (reader.info.width, reader.info.height) == (160, 96)
        assert [frame_number(f.pixels) for f in reader.read(range(3))] == [0, 1, 2]


def test_what_was_recorded_before_a_kill_can_be_played(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom deepfake.media import VideoRecorder\n"
        "from tests.media_factory import index_frame\n"
        "recorder = VideoRecorder(Path(sys.argv[1]))\n"
        "for index in range(400):\n"
        "    recorder.write(index_frame(index), pts_seconds=index / 25)\n"
        "print('written', flush=True)\n"
        "sys.stdin.read()\n"
    )
    path = tmp_path / "out.mp4"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert line == b"written\n"
    with open_video(path, limits=MediaLimits()) as reader:
        assert reader.info.num_frames >= 200
        assert frame_number(next(reader.read([150])).pixels) == 150


def test_nothing_is_made_without_a_frame(tmp_path: Path) -> None:
    VideoRecorder(tmp_path / "out.mp4").close()
    assert list(tmp_path.iterdir()) == []


def test_names_that_cannot_be_written_are_refused_before_the_first_frame(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="recordings end in"):
        VideoRecorder(tmp_path / "out.gif")
    with pytest.raises(ConfigError, match="folder of the recording"):
        VideoRecorder(tmp_path / "absent" / "out.mp4")


def test_a_disk_that_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.mkdir()
    recorder = VideoRecorder(path)
    with pytest.raises(MediaError, match="writing the recording"):
        recorder.write(index_frame(0), pts_seconds=0.0)
    recorder.close()
