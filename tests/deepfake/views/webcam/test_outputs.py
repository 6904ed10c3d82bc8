"""Outputs of a frame's result: drawn, written, reported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from deepfake.errors import ConfigError, UnreadableMediaError
from deepfake.types import Frame, Verdict
from deepfake.views.webcam import (
    FrameResult,
    JsonLines,
    LiveVerdict,
    VerdictChanges,
    WatchedFace,
    Window,
    check_display,
    check_output_path,
)
from deepfake.views.webcam.overlay import draw_problem, draw_result
from deepfake.views.webcam.rates import LatencyCounts, RecentRate

_BOX = (200.0, 100.0, 400.0, 320.0)


def _result(live_verdict: LiveVerdict | None, *, index: int = 7) -> FrameResult:
    frame = Frame(np.full((480, 640, 3), 128, np.uint8), index / 25, index)
    face = WatchedFace(3, _BOX, live_verdict)
    return FrameResult(frame, (face,), latency_ms=31.26, frames_per_second=24.5, num_dropped=2)


@pytest.mark.parametrize("verdict", [Verdict.REAL, Verdict.FAKE, Verdict.UNCERTAIN])
def test_a_box_in_the_verdicts_colour_stands_around_the_face(verdict: Verdict) -> None:
    result = _result(
        LiveVerdict(verdict, "the face is too small: 37 pixels, calibrated from 79", 0.9)
    )
    before = result.frame.pixels.copy()
    drawn = draw_result(result)
    red, green, _ = (int(value) for value in drawn[200, 200])
    assert (drawn[210, 300] == 128).all()  # inside nothing is touched
    assert {"real": green > red, "fake": red > 2 * green}.get(str(verdict), red > green)
    np.testing.assert_array_equal(result.frame.pixels, before)
    assert (drawn[:10, :100] != 128).any()  # rate and latency


@pytest.mark.parametrize("size", [(60, 80), (2160, 3840)])
def test_anything_may_be_drawn_onto(size: tuple[int, int]) -> None:
    frame = Frame(np.zeros((*size, 3), np.uint8), 0.0, 0)
    face = WatchedFace(0, (-20.0, -30.0, size[1] + 9.0, size[0] + 50.0), None)
    result = FrameResult(frame, (face,), 1.0, 1.0, 0)
    assert draw_result(result).shape == (*size, 3)
    assert draw_problem(frame.pixels, "lost: " + "x" * 300).any()


def test_each_frame_is_a_whole_line_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    lines = JsonLines(path)
    lines.add(_result(LiveVerdict(Verdict.FAKE, "looks blended", 0.98765)))
    lines.add(_result(None, index=8))
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    lines.close()
    assert first == {
        "pts_seconds": 0.28,
        "frame_index": 7,
        "latency_ms": 31.3,
        "num_dropped": 2,
        "tracks": [
            {
                "track_id": 3,
                "bbox_xyxy": list(_BOX),
                "prob_fake": 0.9877,
                "verdict": "fake",
                "reason": "looks blended",
            }
        ],
    }
    assert second["tracks"][0]["prob_fake"] is None
    assert second["tracks"][0]["verdict"] == "uncertain"


def test_lines_that_cannot_be_written_are_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="cannot be written"):
        JsonLines(tmp_path / "absent" / "out.jsonl")


def test_changes_are_reported_and_nothing_else() -> None:
    reported: list[tuple[float, Verdict]] = []
    changes = VerdictChanges(lambda seconds, face: reported.append((seconds, face.verdict)))
    changes.add(_result(LiveVerdict(Verdict.REAL, None, 0.1)))
    changes.add(_result(LiveVerdict(Verdict.FAKE, None, 0.9, is_changed=True)))
    changes.add(_result(None))
    assert reported == [(0.28, Verdict.FAKE)]


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    source, other = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(b"x")
    check_output_path(other, source=str(source), overwrite=False)
    other.write_bytes(b"y")
    with pytest.raises(ConfigError, match="already exists"):
        check_output_path(other, source=str(source), overwrite=False)
    check_output_path(other, source="0", overwrite=True)
    with pytest.raises(ConfigError, match="that is watched"):
        check_output_path(source, source=str(source), overwrite=True)
    with pytest.raises(ConfigError):
        check_output_path(tmp_path, source="0", overwrite=True)


def test_without_a_display_headless_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="no display") as raised:
        check_display()
    assert "--headless" in str(raised.value.hint)


def test_a_display_that_does_not_answer_does_not_end_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(ConfigError, match="no window can be opened") as raised:
        Window(Event())
    assert "--headless" in str(raised.value.hint)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a screen that nobody looks at, or skip."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as stream:
        name = f":{stream.readline().strip()}"
    monkeypatch.setenv("DISPLAY", name)
    yield name
    server.terminate()
    server.wait()


def test_a_window_is_opened_beside_the_decoders_and_closed_again(display: str) -> None:
    stop = Event()
    with closing(Window(stop)) as window:
        for index in range(3):
            window.add(_result(LiveVerdict(Verdict.REAL, None, 0.1), index=index))
        window.idle("lost: unplugged")
        window.idle(None)
        assert not stop.is_set()
    assert window._child.returncode == 0


def test_a_window_whose_process_ends_stops_the_watching(display: str) -> None:
    stop = Event()
    with closing(Window(stop)) as window:
        window._child.kill()
        assert stop.wait(60)
        window.add(_result(None))


def test_the_rate_is_of_the_last_two_seconds() -> None:
    rate = RecentRate()
    assert rate.add(0.0) == 0.0
    for at in range(1, 101):
        slow = rate.add(at * 0.5)
    assert slow == pytest.approx(2.0)
    for at in range(1, 101):
        quick = rate.add(50 + at * 0.05)
    assert quick == pytest.approx(20.0)


def test_latencies_are_counted_not_kept() -> None:
    counts = LatencyCounts()
    assert counts.quantile_ms(0.5) is None
    for latency_ms in [*([20.2] * 95), *([300.0] * 5)]:
        counts.add(latency_ms)
    assert (counts.quantile_ms(0.5), counts.quantile_ms(0.95)) == (20.0, 20.0)
    assert counts.quantile_ms(0.96) == 300.0
