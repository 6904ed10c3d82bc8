"""The newest frame is held, and a lost source is reopened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, ProbeError
from deepfake.media import ArrivedFrame, Stream, open_stream, parse_source
from deepfake.types import Frame
from deepfake.views.webcam import FrameReader
from tests.media_factory import frame_number, index_frame
from tests.rtsp_server import RtspServer

_PIXELS = np.zeros((4, 4, 3), np.uint8)


def arrived(index: int, *, at: float | None = None) -> ArrivedFrame:
    """Return a frame that arrives now, or at some moment."""
    moment = time.monotonic() if at is None else at
    return ArrivedFrame(Frame(_PIXELS, index / 25, index), moment)


@dataclass
class Scripted:
    """A source whose frames come when the test says so."""

    num_frames: int
    is_live: bool = True
    error: str | None = None
    before: Callable[[int], object] = lambda _: None
    given: list[int] = field(default_factory=list)
    is_closed: bool = False

    def frames(self) -> Iterator[ArrivedFrame]:
        for index in range(self.num_frames):
            self.before(index)
            yield arrived(index)
            self.given.append(index)
        if self.error is not None:
            raise DecodeError(self.error)

    def close(self) -> None:
        self.is_closed = True


def _reader(stream: Scripted, **more: object) -> FrameReader:
    settings: dict[str, object] = {"reopen": lambda: stream, "stop": threading.Event(), **more}
    return FrameReader(stream, **settings)  # type: ignore[arg-type]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_one_who_looks_slowly_gets_the_newest_frame_and_the_rest_is_dropped() -> None:
    gates = [threading.Semaphore(0) for _ in range(20)]
    stream = Scripted(20, is_live=False, before=lambda index: gates[index].acquire())
    reader = _reader(stream)
    reader.start()
    taken = []
    for number in range(20):
        gates[number].release()
        _wait_for(lambda number=number: len(stream.given) == number + 1)  # type: ignore[misc]
        if number % 5 == 4:  # five frames come while one is looked at
            frame = reader.take(timeout_seconds=10)
            assert frame is not None
            taken.append(frame.frame.frame_index)
    assert taken == [4, 9, 14, 19]
    assert reader.num_dropped == 12
    _wait_for(lambda: reader.is_ended)
    assert stream.is_closed
    assert reader.take(timeout_seconds=0.01) is None


def test_nothing_is_dropped_where_the_source_may_wait() -> None:
    stream = Scripted(30, is_live=False)
    reader = _reader(stream, is_dropping=False)
    reader.start()
    taken = []
    while not reader.is_ended:
        frame = reader.take(timeout_seconds=1)
        if frame is not None:
            taken.append(frame.frame.frame_index)
            # What waited for us is not late.
            assert time.monotonic() - frame.arrived_at < 10
    assert taken == list(range(30))
    assert reader.num_dropped == 0


def test_each_third_frame_is_held_and_the_others_do_not_count_as_dropped() -> None:
    reader = _reader(Scripted(30, is_live=False), is_dropping=False, every=3)
    reader.start()
    taken = []
    while not reader.is_ended:
        if (frame := reader.take(timeout_seconds=1)) is not None:
            taken.append(frame.frame.frame_index)
    assert taken == list(range(0, 30, 3))
    assert reader.num_dropped == 0


def test_a_file_that_breaks_ends_it_with_its_error() -> None:
    reader = _reader(Scripted(0, is_live=False, error="beyond use"))
    reader.start()
    with pytest.raises(DecodeError, match="beyond use"):
        reader.take(timeout_seconds=10)


def test_a_lost_source_is_found_again_with_growing_waits_and_time_goes_on() -> None:
    stop, lines = threading.Event(), []
    first, second = Scripted(3, error="unplugged"), Scripted(3, error="unplugged again")
    attempts: list[Callable[[], Scripted]] = []

    def refuse() -> Scripted:
        raise ProbeError("nobody answers")

    attempts += [refuse, refuse, lambda: second]

    def reopen() -> Scripted:
        if not attempts:
            stop.set()
            raise ProbeError("enough")
        return attempts.pop(0)()

    reader = FrameReader(
        first,
        reopen=reopen,
        stop=stop,
        is_dropping=False,
        on_status=lines.append,
        retry_seconds=(0.01, 0.02, 0.04),
    )
    reader.start()
    taken = []
    while not reader.is_ended:
        if (frame := reader.take(timeout_seconds=1)) is not None:
            taken.append((frame.frame.frame_index, frame.frame.pts_seconds))
    assert [index for index, _ in taken] == list(range(6))
    times = [seconds for _, seconds in taken]
    assert times == sorted(times)
    assert times[3] - times[2] >= 0.07  # the three waits
    assert lines == [
        "lost: unplugged; trying to reopen it, in 0.01 s",
        "lost: nobody answers; trying to reopen it, in 0.02 s",
        "lost: nobody answers; trying to reopen it, in 0.04 s",
        "reopened after 0 s",
        "lost: unplugged again; trying to reopen it, in 0.01 s",
        "lost: enough; trying to reopen it, in 0.02 s",
    ]
    assert first.is_closed
    assert second.is_closed


def test_an_rtsp_stream_that_goes_away_and_comes_back_is_read_on() -> None:
    pictures = [index_frame(i, width=320, height=192) for i in range(64)]
    stop, lines = threading.Event(), []
    with RtspServer(pictures) as first:
        source = parse_source(f"rtsp://me:secretword@127.0.0.1:{first.port}/live")

        def reopen() -> Stream:
            return open_stream(source, limits=MediaLimits())

        waits = (0.2, 0.4)
        reader = FrameReader(
            reopen(), reopen=reopen, stop=stop, on_status=lines.append, retry_seconds=waits
        )
        reader.start()
        before = [_taken(reader) for _ in range(3)]
    _wait_for(lambda: len(lines) >= 2)
    while reader.take(timeout_seconds=0.1):
        pass  # what was held when it was lost
    with RtspServer(pictures, port=first.port):
        after = [_taken(reader) for _ in range(3)]
        reader.close()
    frames = [*before, *after]
    assert all(a.frame_index < b.frame_index for a, b in pairwise(frames))
    assert all(a.pts_seconds < b.pts_seconds for a, b in pairwise(frames))
    assert [frame_number(frame.pixels) for frame in after] == sorted(
        frame_number(frame.pixels) for frame in after
    )
    assert "reopened after" in lines[-1]
    assert [line.rsplit(", in ", 1)[1] for line in lines[:2]] == ["0.2 s", "0.4 s"]
    assert "secretword" not in "".join(lines)


def test_a_camera_that_asks_for_a_password_gets_it_and_nobody_else_does() -> None:
    pictures = [index_frame(i, width=320, height=192) for i in range(8)]
    with RtspServer(pictures, login=("me", "secretword")) as server:
        address = f"127.0.0.1:{server.port}/live"
        source = parse_source(f"rtsp://me:secretword@{address}")
        with closing(open_stream(source, limits=MediaLimits())) as stream:
            assert next(iter(stream.frames())).frame.pixels.shape == (192, 320, 3)
        assert not any("secretword" in request for request in server.requests)
        for wrong in (f"rtsp://me:otherword@{address}", f"rtsp://{address}"):
            with pytest.raises(ProbeError, match="Unauthorized") as raised:
                open_stream(parse_source(wrong), limits=MediaLimits())
            assert "rtsp://NAME:PASSWORD@HOST" in str(raised.value.hint)
            assert "otherword" not in str(raised.value)


def _taken(reader: FrameReader) -> Frame:
    deadline = time.monotonic() + 120
    while True:
        if (found := reader.take(timeout_seconds=1)) is not None:
            return found.frame
        assert time.monotonic() < deadline, reader.problem


def test_closing_ends_the_thread_at_once_even_while_it_waits() -> None:
    lines: list[str] = []
    stream = Scripted(1, error="unplugged")
    reader = _reader(stream, on_status=lines.append, retry_seconds=(600.0,))
    reader.start()
    _wait_for(lambda: bool(lines))
    assert reader.problem == "unplugged; trying to reopen it"
    reader.close()
    assert not [t for t in threading.enumerate() if t.name == "frames"]


def test_a_reader_that_never_began_closes_its_source() -> None:
    stream = Scripted(1)
    _reader(stream).close()
    assert stream.is_closed
