"""From a source to what is shown, written and recorded, until somebody stops it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from deepfake.types import Frame
from deepfake.views.webcam.rates import LatencyCounts, RecentRate
from deepfake.views.webcam.reader import FrameReader
from deepfake.views.webcam.watcher import WatchedFace, Watcher

__all__ = ["Look", "Output", "WatchSummary", "watch"]

_PATIENCE_SECONDS = 0.1
"""After so long without a frame the outputs are asked whether somebody wants to stop."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen in a frame.

    Attributes:
        frame: The frame.
        faces: Who is there.
        latency_ms: From the frame's arrival to the verdicts.
        frames_per_second: Looked at, over the last two seconds.
        num_dropped: Frames so far that nobody looked at.
    """

    frame: Frame
    faces: tuple[WatchedFace, ...]
    latency_ms: float
    frames_per_second: float
    num_dropped: int


class Output(Protocol):
    """Something that gets what is seen."""

    def add(self, look: Look) -> None:
        """Take a frame and what is said of it."""
        ...

    def idle(self, problem: str | None) -> None:
        """There was no frame for a moment; why, if that is known."""
        ...


@dataclass(frozen=True, slots=True)
class WatchSummary:
    """What was done.

    Attributes:
        seconds: From the first frame to the last, by the clock.
        num_frames: Looked at.
        num_dropped: Not looked at.
        num_tracks: People who were there, one who came back after a while counting again.
        latency_p50_ms: Half of the frames had at most this; None without frames.
        latency_p95_ms: The same for 95 %.
    """

    seconds: float
    num_frames: int
    num_dropped: int
    num_tracks: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None

    @property
    def frames_per_second(self) -> float:
        """Frames looked at a second; 0.0 where there is no time between them."""
        return (self.num_frames - 1) / self.seconds if self.seconds > 0 else 0.0


def watch(
    reader: FrameReader,
    *,
    watcher: Watcher,
    outputs: Sequence[Output],
    stop: Event,
    max_seconds: float | None = None,
) -> WatchSummary:
    """Look at frames until the source ends or `stop` is set.

    Args:
        reader: Begins to read here if it has not yet, and is closed at the end.
        watcher: What looks at them.
        outputs: What gets what was seen. The caller closes them.
        stop: Ends it after the frame at hand.
        max_seconds: By the clock, after which it ends; None for no end.

    Raises:
        MediaError: The source cannot be read.
    """
    began = time.monotonic()
    rate, latencies = RecentRate(), LatencyCounts()
    first_at = last_at = began
    num_frames = num_tracks = 0
    reader.start()
    try:
        while not stop.is_set() and not reader.is_ended:
            if max_seconds is not None and time.monotonic() - began >= max_seconds:
                break
            arrived = reader.take(timeout_seconds=_PATIENCE_SECONDS)
            if arrived is None:
                for output in outputs:
                    output.idle(reader.problem)
                continue
            faces = watcher.look(arrived.frame)
            last_at = time.monotonic()
            first_at = first_at if num_frames else last_at
            num_frames += 1
            num_tracks = max(num_tracks, *(face.track_id + 1 for face in faces), 0)
            latency_ms = (last_at - arrived.arrived_at) * 1000
            latencies.add(latency_ms)
            look = Look(arrived.frame, faces, latency_ms, rate.add(last_at), reader.num_dropped)
            for output in outputs:
                output.add(look)
    finally:
        reader.close()
    return WatchSummary(
        seconds=last_at - first_at,
        num_frames=num_frames,
        num_dropped=reader.num_dropped,
        num_tracks=num_tracks,
        latency_p50_ms=latencies.quantile_ms(0.5),
        latency_p95_ms=latencies.quantile_ms(0.95),
    )
