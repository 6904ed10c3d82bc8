"""Watch a source: read, analyse and output its frames until it ends or is stopped."""

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

__all__ = ["FrameResult", "Output", "WatchSummary", "watch"]

_PATIENCE_SECONDS = 0.1
"""After this time without a frame, the outputs are updated: the user may want to stop."""


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The faces in one analysed frame.

    Attributes:
        frame: The frame.
        faces: The faces in it.
        latency_ms: From the arrival of the frame to the verdicts.
        frames_per_second: Frames analysed in each of the last two seconds.
        num_dropped: Frames so far that were not analysed.
    """

    frame: Frame
    faces: tuple[WatchedFace, ...]
    latency_ms: float
    frames_per_second: float
    num_dropped: int


class Output(Protocol):
    """Something that shows, writes or records the results."""

    def add(self, result: FrameResult) -> None:
        """Output the result of a frame."""
        ...

    def idle(self, problem: str | None) -> None:
        """React to a moment without frames; `problem` says why, if that is known."""
        ...


@dataclass(frozen=True, slots=True)
class WatchSummary:
    """Totals of a session.

    Attributes:
        seconds: Wall time from the first frame to the last.
        num_frames: Frames analysed.
        num_dropped: Frames not analysed.
        num_tracks: People seen; one who came back after a while counts again.
        latency_p50_ms: Median latency; None without frames.
        latency_p95_ms: 95th percentile of the latency; None without frames.
    """

    seconds: float
    num_frames: int
    num_dropped: int
    num_tracks: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None

    @property
    def frames_per_second(self) -> float:
        """Frames analysed a second; 0.0 where there is no time between them."""
        return (self.num_frames - 1) / self.seconds if self.seconds > 0 else 0.0


def watch(
    reader: FrameReader,
    *,
    watcher: Watcher,
    outputs: Sequence[Output],
    stop: Event,
    max_seconds: float | None = None,
) -> WatchSummary:
    """Analyse frames until the source ends or `stop` is set.

    Args:
        reader: Reads the source; started here if it has not been yet, and closed at the end.
        watcher: Analyses the frames.
        outputs: Get each result. The caller closes them.
        stop: Ends the session after the current frame.
        max_seconds: Wall time after which the session ends; None for no limit.

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
            faces = watcher.analyse(arrived.frame)
            last_at = time.monotonic()
            first_at = first_at if num_frames else last_at
            num_frames += 1
            num_tracks = max(num_tracks, *(face.track_id + 1 for face in faces), 0)
            latency_ms = (last_at - arrived.arrived_at) * 1000
            latencies.add(latency_ms)
            fps = rate.add(last_at)
            result = FrameResult(arrived.frame, faces, latency_ms, fps, reader.num_dropped)
            for output in outputs:
                output.add(result)
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
