"""Guided face detection: search some frames as a whole, and track the faces in between.

The whole frame is searched every few frames, at least every few seconds, and after a scene cut. If
the searched frames before and after show the same faces, the frames between are only examined
around the previous faces: first by O-net in the same boxes; if that loses a face and the frames are
not close in time, by all three networks in a window at the size of the face. A frame in which a
face is still lost, or found with less confidence, is searched as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.extract.faces.area_resize import FrameView
from deepfake.extract.faces.mtcnn import Detection
from deepfake.extract.faces.tracks import find_cuts, frame_signature, match_faces
from deepfake.types import Face, Frame

__all__ = ["LiveFaceDetector", "SeenFrame", "detect_frames"]

_FOLLOW_SECONDS = 0.1
"""In frames this close in time, faces stay in their boxes."""

_NEAR_SECONDS = 2.0
"""Frames farther apart than this are all searched."""

_SEARCH_EVERY = 8
"""At least every Nth frame is searched."""

_SEARCH_SECONDS = 4.0
"""And at least as often as this, unless frames are farther apart."""

_LIVE_SEARCH_SECONDS = 0.5
"""The same for live frames: a new face stays undetected for at most so long."""

_MAX_HELD_BYTES = 256 * 2**20
"""Limit for frames that wait for the next search: nine frames of 4K."""

_MAX_GUIDED = 6
"""With more faces, searching the whole frame is as fast."""

_STEADY_CONFIDENCE = 0.95
"""If a face is found with less, the frame is searched."""


class _Detector(Protocol):
    """Detects faces in one frame; see `MtcnnDetector`."""

    def search(self, view: FrameView) -> Detection: ...

    def search_near(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]: ...

    def follow(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]: ...


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame after detection.

    Attributes:
        frame: The frame.
        signature: Histogram for detecting scene cuts, see `frame_signature`.
        faces: The largest first.
        levels: Look-up table that the frame was brightened with; None if it was not.
        is_searched: Whether the whole frame was searched.
        num_small: Faces that were seen in the search and are too small to count.
    """

    frame: Frame
    signature: NDArray[np.float32]
    faces: tuple[Face, ...] = ()
    levels: NDArray[np.uint8] | None = None
    is_searched: bool = False
    num_small: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A frame without detection so far, and its distance in time from the one before."""

    seen: SeenFrame
    gap: _Gap


class _Gap(Enum):
    """Distance in time from the frame before."""

    FOLLOW = "a moment"
    NEAR = "some samples"
    BREAK = "another scene, or too far"


def detect_frames(
    frames: Iterable[Frame], *, detector: _Detector, is_guided: bool = True
) -> Iterator[SeenFrame]:
    """Detect the faces in frames of one video.

    At most nine frames are held in memory, of very large ones fewer.

    Args:
        frames: Ascending in time.
        detector: Detects faces in one frame.
        is_guided: Whether faces are tracked between searched frames; else each is searched.

    Yields:
        The frames with their faces, in order.
    """
    first: SeenFrame | None = None  # is searched
    run: list[_Waiting] = []
    for frame in frames:
        seen = SeenFrame(frame, frame_signature(frame.pixels))
        before = run[-1].seen if run else first
        gap = _gap_between(before, seen) if before and is_guided else _Gap.BREAK
        if first is None or gap is _Gap.BREAK:
            yield from _finished(first, run, detector)
            first, run = _searched(seen, detector), []
            continue
        run.append(_Waiting(seen, gap))
        if _is_due(first, run):
            *settled, first = _settled(first, run, detector)
            yield from settled
            run = []
    yield from _finished(first, run, detector)


class LiveFaceDetector:
    """Detects faces in live frames: each result is returned before the next frame is known.

    The whole frame is searched every few frames, after a scene cut, and when a face is lost;
    otherwise only the surroundings of the previous faces are examined.

    Args:
        detector: Detects faces in one frame.
        search_every: At least every Nth frame is searched.
        search_seconds: And at least as often as this.
    """

    def __init__(
        self,
        detector: _Detector,
        *,
        search_every: int = _SEARCH_EVERY,
        search_seconds: float = _LIVE_SEARCH_SECONDS,
    ) -> None:
        self._detector = detector
        self._search_every, self._search_seconds = search_every, search_seconds
        self._last: SeenFrame | None = None
        self._since = 0
        self._searched_at = 0.0

    def detect(self, frame: Frame) -> SeenFrame:
        """Detect the faces in the next frame.

        Args:
            frame: Later than the frame before.
        """
        seen = SeenFrame(frame, frame_signature(frame.pixels))
        gap = _Gap.BREAK if self._last is None else _gap_between(self._last, seen)
        self._since += 1
        is_due = (
            self._since >= self._search_every
            or frame.pts_seconds - self._searched_at >= self._search_seconds
        )
        if self._last is None or gap is _Gap.BREAK or is_due:
            now = _searched(seen, self._detector)
        else:
            now = _guided_one(self._last, _Waiting(seen, gap), self._detector)
        if now.is_searched:
            self._since, self._searched_at = 0, frame.pts_seconds
        self._last = now
        return now


def _is_due(first: SeenFrame, run: Sequence[_Waiting]) -> bool:
    """Return whether the last frame of the run has to be searched."""
    last = run[-1].seen.frame
    held = max(1, min(_SEARCH_EVERY, _MAX_HELD_BYTES // last.pixels.nbytes))
    return len(run) >= held or last.pts_seconds - first.frame.pts_seconds >= _SEARCH_SECONDS


def _gap_between(before: SeenFrame, now: SeenFrame) -> _Gap:
    seconds = now.frame.pts_seconds - before.frame.pts_seconds
    is_cut = find_cuts([before.signature, now.signature])[1]
    if is_cut or seconds > _NEAR_SECONDS or before.frame.pixels.shape != now.frame.pixels.shape:
        return _Gap.BREAK
    return _Gap.FOLLOW if seconds <= _FOLLOW_SECONDS else _Gap.NEAR


def _finished(
    first: SeenFrame | None, run: Sequence[_Waiting], detector: _Detector
) -> list[SeenFrame]:
    """Finish a run that no frame follows; if its frames are close in time, none is searched."""
    if first is None:
        return []
    if all(waiting.gap is _Gap.FOLLOW for waiting in run):
        return [first, *_guided(first, run, detector)]
    return _settled(first, run, detector)


def _settled(first: SeenFrame, run: Sequence[_Waiting], detector: _Detector) -> list[SeenFrame]:
    """Search the last frame; track through those between if both ends show the same faces."""
    between, last = run[:-1], _searched(run[-1].seen, detector)
    if _is_steady(first.faces, last.faces):
        return [first, *_guided(first, between, detector), last]
    return [first, *(_searched(waiting.seen, detector) for waiting in between), last]


def _guided(before: SeenFrame, run: Sequence[_Waiting], detector: _Detector) -> Iterator[SeenFrame]:
    for waiting in run:
        now = _guided_one(before, waiting, detector)
        yield now
        before = now


def _guided_one(before: SeenFrame, waiting: _Waiting, detector: _Detector) -> SeenFrame:
    seen, is_near = waiting.seen, waiting.gap is _Gap.NEAR
    if len(before.faces) > _MAX_GUIDED or (is_near and not before.faces):
        return _searched(seen, detector)
    view = FrameView(seen.frame.pixels, levels=before.levels)
    faces = detector.follow(view, before.faces)
    if is_near and _is_steady(before.faces, faces):
        # Faces have moved in their boxes: run again with the updated boxes.
        faces = detector.follow(view, faces)
    if is_near and not _is_steady(before.faces, faces):
        faces = detector.search_near(view, before.faces)
    if not _is_steady(before.faces, faces):
        return _searched(seen, detector)
    return replace(seen, faces=faces, levels=before.levels)


def _is_steady(before: Sequence[Face], now: Sequence[Face]) -> bool:
    """Return whether both show the same faces, none with less confidence."""
    partners = match_faces(before, now)
    return len(before) == len(now) == len(partners) and all(
        now[n].confidence >= min(_STEADY_CONFIDENCE, before[b].confidence)
        for n, b in partners.items()
    )


def _searched(seen: SeenFrame, detector: _Detector) -> SeenFrame:
    found = detector.search(FrameView(seen.frame.pixels))
    return replace(
        seen,
        faces=found.faces,
        levels=found.levels,
        is_searched=True,
        num_small=found.num_small,
    )
