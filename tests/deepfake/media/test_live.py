"""Live frames: files at their own speed, network streams, cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    MediaError,
    MediaTooLargeError,
    UnreadableMediaError,
    UnsupportedMediaError,
)
from deepfake.media import ArrivedFrame, live, open_stream, parse_source
from tests.media_factory import frame_number, index_frame, noise_picture, write_clip, write_still
from tests.rtsp_server import RtspServer

LIMITS = MediaLimits()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("live") / "clip.mp4", num_frames=40, fps=25)


def test_a_file_is_played_at_its_own_speed(clip: Path) -> None:
    stream = open_stream(parse_source(str(clip)), limits=LIMITS)
    began = time.monotonic()
    frames = list(stream.frames())
    stream.close()
    assert time.monotonic() - began >= 39 / 25
    due = [one.arrived_at - frames[0].arrived_at for one in frames]
    np.testing.assert_allclose(due, [one.frame.pts_seconds for one in frames], atol=1e-6)
    assert [frame_number(f.frame.pixels) for f in frames] == [f.frame.frame_index for f in frames]


def test_a_file_that_comes_too_late_is_read_on_from_where_it_should_be(clip: Path) -> None:
    stream = open_stream(parse_source(str(clip)), limits=LIMITS)
    indices = []
    for one in stream.frames():
        indices.append(one.frame.frame_index)
        if len(indices) == 3:
            time.sleep(1.0)  # a decoder that is held up
    stream.close()
    assert indices[:3] == [0, 1, 2]
    assert 25 <= indices[4] <= 39
    assert indices == sorted(set(indices))


def test_a_file_may_be_read_as_quickly_as_it_is_asked_for(clip: Path) -> None:
    stream = open_stream(parse_source(str(clip)), limits=LIMITS, is_realtime=False)
    assert [one.frame.frame_index for one in stream.frames()] == list(range(40))
    stream.close()


def test_waiting_for_a_frame_of_a_file_ends_when_it_is_stopped(tmp_path: Path) -> None:
    slow = write_clip(tmp_path / "slow.mp4", num_frames=3, times_ms=[0, 300_000, 600_000])
    stop = threading.Event()
    stream = open_stream(parse_source(str(slow)), limits=LIMITS, stop=stop)
    found: list[ArrivedFrame] = []
    reader = threading.Thread(target=lambda: found.extend(stream.frames()))
    reader.start()
    stop.set()
    reader.join(60)
    assert not reader.is_alive()
    assert len(found) <= 1
    stream.close()


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    picture = write_still(tmp_path / "photo.png", noise_picture())
    with pytest.raises(UnsupportedMediaError, match="a picture") as raised:
        open_stream(parse_source(str(picture)), limits=LIMITS)
    assert "detect" in str(raised.value.hint)
    with pytest.raises(UnreadableMediaError, match="no such file"):
        open_stream(parse_source(str(tmp_path / "absent.mp4")), limits=LIMITS)
    with pytest.raises(UnsupportedMediaError):
        open_stream(parse_source(str(tmp_path)), limits=LIMITS)


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    with RtspServer([index_frame(i, width=320, height=192) for i in range(64)]) as started:
        yield started


def _address(port: int) -> str:
    return f"rtsp://me:secretword@127.0.0.1:{port}/live"


def test_an_rtsp_stream_is_read_over_one_connection(server: RtspServer) -> None:
    stream = open_stream(parse_source(_address(server.port)), limits=LIMITS)
    assert stream.is_live
    found = [one for one, _ in zip(stream.frames(), range(6), strict=False)]
    stream.close()
    numbers = [frame_number(one.frame.pixels) for one in found]
    assert numbers == list(range(numbers[0], numbers[0] + 6))
    assert [one.frame.frame_index for one in found] == list(range(6))
    assert all(a.arrived_at <= b.arrived_at for a, b in pairwise(found))
    assert "TCP" in next(r for r in server.requests if r.startswith("SETUP"))


def test_a_stream_that_goes_away_says_so_without_its_address() -> None:
    with RtspServer([index_frame(0, width=320, height=192)]) as going:
        stream = open_stream(parse_source(_address(going.port)), limits=LIMITS)
        frames = stream.frames()
        next(frames)
    with pytest.raises(DecodeError, match="the stream was lost") as raised:
        list(frames)
    stream.close()
    assert "secretword" not in str(raised.value)
    with pytest.raises(MediaError) as refused:
        open_stream(parse_source(_address(going.port)), limits=LIMITS)
    assert "secretword" not in f"{refused.value}{refused.value.hint}{refused.value.__cause__}"
    assert refused.value.__suppress_context__


def test_a_streams_frames_have_a_limit(server: RtspServer) -> None:
    with pytest.raises(MediaError) as raised:
        tight = MediaLimits(max_pixels=100)
        next(open_stream(parse_source(_address(server.port)), limits=tight).frames())
    assert isinstance(raised.value, MediaTooLargeError)
    assert str(raised.value).endswith(f"rtsp://127.0.0.1:{server.port}/...")


class Capture:
    """A camera at the edge of the library: three pictures, then it is unplugged."""

    is_there = True

    def __init__(self, number: int, _backend: int) -> None:
        self.number, self.left = number, 3
        self.is_released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.is_there

    def set(self, _name: int, _value: float) -> bool:
        return False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((48, 64, 3), (10, 20, 200), np.uint8)

    def release(self) -> None:
        self.is_released = True


def test_a_camera_gives_rgb_until_it_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.cv2, "VideoCapture", Capture)
    stream = open_stream(parse_source("2"), limits=LIMITS)
    frames = stream.frames()
    first = next(frames)
    assert first.frame.pixels[0, 0].tolist() == [200, 20, 10]
    assert next(frames).frame.frame_index == 1
    with pytest.raises(DecodeError, match="delivers no more pictures: camera 2"):
        list(frames)


def test_a_missing_camera_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    if cv2.VideoCapture(99, cv2.CAP_V4L2).isOpened():
        pytest.skip("this machine has a hundred cameras")
    with pytest.raises(UnreadableMediaError, match="no such camera, or it is in use: camera 99"):
        open_stream(parse_source("99"), limits=LIMITS)
