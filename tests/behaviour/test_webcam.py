"""`deepfake webcam` as a process: a source in, usable files out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.media import open_video, write_video
from tests.command_line import product_environment, run_deepfake
from tests.rtsp_server import RtspServer
from tests.sample_data import clip_frames

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]

_PATIENCE_SECONDS = 900.0
"""A busy machine takes minutes to convert the networks."""


def _scene(num_frames: int, *, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Return frames of 640 x 360 with one face."""
    frames = []
    for face in clip_frames(num_frames, side=320, seed=seed):
        pixels = np.full((360, 640, 3), 80, np.uint8)
        pixels[20:340, 160:480] = face
        frames.append(pixels)
    return frames


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a clip, whose data root keeps the converted networks."""
    folder = tmp_path_factory.mktemp("webcam")
    (folder / "data").mkdir()
    write_video(folder / "clip.mp4", _scene(50), fps=25)
    # Long enough to be stopped in the middle.
    write_video(folder / "long.mp4", _scene(50) * 6, fps=1)
    return folder


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_frame_of_a_file_becomes_a_line_and_the_verdict_is_printed(home: Path) -> None:
    done = run_deepfake(
        *("webcam", "--source", "clip.mp4", "--headless", "--no-realtime"),
        *("--jsonl", "out.jsonl", "--record", "out.mp4", "--weights", "packaged"),
        cwd=home,
        timeout_seconds=_PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    lines = _lines(home / "out.jsonl")
    assert [line["frame_index"] for line in lines] == list(range(50))
    np.testing.assert_allclose([line["pts_seconds"] for line in lines], np.arange(50) / 25)
    assert all(len(line["tracks"]) == 1 and line["latency_ms"] > 0 for line in lines)
    last = lines[-1]["tracks"][0]
    assert (last["track_id"], last["verdict"], last["reason"]) == (0, "real", None)
    assert lines[0]["tracks"][0]["verdict"] == "uncertain"
    assert "face 0  NO SIGN FOUND" in done.stdout
    assert done.stdout.count("\n") == 1
    assert "\x1b" not in done.stdout
    assert "deepfake-packaged (named by the user)" in done.stderr
    assert "Not learnt" in done.stderr
    assert "50 frames analysed" in done.stderr
    with open_video(home / "out.mp4", limits=MediaLimits()) as reader:
        assert reader.info.num_frames == 50
        drawn = next(reader.read([49])).pixels
    left, top = (round(value) for value in last["bbox_xyxy"][:2])
    red, _, blue = (int(v) for v in drawn[(top + 40), left])
    # Pale blue: green would say more than that no sign was found.
    assert blue > red + 40


@contextmanager
def _watching(home: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command; what it says goes to `output.txt`."""
    command = [sys.executable, "-m", "deepfake", "webcam", "--headless", "--overwrite"]
    with (home / "output.txt").open("wb") as output:
        child = subprocess.Popen(
            [*command, *arguments],
            cwd=home,
            env=product_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def _told(home: Path) -> str:
    return (home / "output.txt").read_text(encoding="utf-8")


def _wait_for(condition: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert child.poll() is None, "it ended"
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_cleanly_and_the_recording_can_be_played(
    home: Path, number: signal.Signals
) -> None:
    lines = home / "cut.jsonl"
    lines.unlink(missing_ok=True)
    arguments = ("--source", "long.mp4", "--weights", "packaged")
    with _watching(home, *arguments, "--jsonl", "cut.jsonl", "--record", "cut.mp4") as child:
        _wait_for(lambda: lines.exists() and lines.read_text().count("\n") >= 5, child)
        child.send_signal(number)
        assert child.wait(_PATIENCE_SECONDS) == 0, _told(home)
    assert "Traceback" not in _told(home)
    written = _lines(lines)
    with open_video(home / "cut.mp4", limits=MediaLimits()) as reader:
        assert reader.info.num_frames == len(written)
        assert sum(1 for _ in reader.read(range(reader.info.num_frames))) == len(written)
        first = written[0]["pts_seconds"]
        times = [line["pts_seconds"] - first for line in written]
        np.testing.assert_allclose(reader.pts_seconds, times, atol=0.002)
    assert not reader.is_truncated


def test_a_stream_that_goes_away_and_comes_back_is_watched_on(home: Path) -> None:
    lines = home / "stream.jsonl"
    lines.unlink(missing_ok=True)

    def num_lines() -> int:
        return lines.read_text().count("\n") if lines.exists() else 0

    with ExitStack() as opened:
        first = opened.enter_context(RtspServer(_scene(30)))
        address = f"rtsp://me:secretword@127.0.0.1:{first.port}/live"
        source = ("--source", address, "--jsonl", "stream.jsonl", "--weights", "packaged")
        child = opened.enter_context(_watching(home, *source))
        _wait_for(lambda: num_lines() >= 3, child)
        first.close()
        _wait_for(lambda: _told(home).count("lost: ") >= 2, child)
        before = num_lines()
        opened.enter_context(RtspServer(_scene(30), port=first.port))
        _wait_for(lambda: num_lines() >= before + 3, child)
        child.send_signal(signal.SIGTERM)
        assert child.wait(_PATIENCE_SECONDS) == 0
    text = _told(home)
    assert "reopened after" in text
    waits = [
        line.rsplit(", in ", 1)[1].strip()
        for line in text.splitlines()
        if line.startswith("lost: ")
    ]
    assert ("1 s", "2 s") in pairwise(waits), text
    assert "secretword" not in text + lines.read_text()
    written = _lines(lines)
    times = [line["pts_seconds"] for line in written]
    assert times == sorted(times)
    indices = [line["frame_index"] for line in written]
    assert indices == sorted(set(indices))
    assert all(line["tracks"] for line in written)
    assert list((home / "data").iterdir()) == []
