"""Faces of successive frames: searched for everywhere in some, and where they were in the rest.

Every few frames, and wherever the picture cuts, the whole frame is searched. If the searched frames
before and after agree on who is there, the frames between are looked at only around the last
faces: between frames a moment apart by O-net alone, in the very boxes, between frames farther apart
by all three networks in a window at the faces' own size. A frame in which a face is then lost, or
seen with less confidence, is searched after all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.faces.mtcnn import Detection
from deepfake.faces.tracks import find_cuts, frame_signature, match_faces
from deepfake.faces.views import FrameView
from deepfake.types import Face, Frame

__all__ = ["SeenFrame", "detect_frames"]

_FOLLOW_SECONDS = 0.1
"""Between frames this close, faces stay in their boxes."""

_NEAR_SECONDS = 2.0
"""Between frames farther apart, each is searched."""

_MAX_HELD_BYTES = 256 * 2**20
"""Of frames that wait for the next search: nine frames of 4K."""

_MAX_GUIDED = 6
"""With more faces, searching the whole frame is no dearer."""

_STEADY_CONFIDENCE = 0.95
"""A face that is seen with less is searched for."""


class _Detector(Protocol):
    """What finds faces in one frame; see `MtcnnDetector`."""

    def search(self, view: FrameView) -> Detection: ...

    def search_near(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]: ...

    def follow(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]: ...


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame after detection.

    Attributes:
        frame: The frame.
        signature: By which scene changes are told, see `frame_signature`.
        faces: The largest first.
        levels: The table that the frame was brightened with; None where it was seen as it is.
        is_searched: Whether the whole frame was searched.
    """

    frame: Frame
    signature: NDArray[np.float32]
    faces: tuple[Face, ...] = ()
    levels: NDArray[np.uint8] | None = None
    is_searched: bool = False


class _Gap(Enum):
    """How far a frame is from the one before; the value says every so manieth is searched."""

    FOLLOW = 8
    NEAR = 4
    BREAK = 1


def detect_frames(
    frames: Iterable[Frame], *, detector: _Detector, is_guided: bool = True
) -> Iterator[SeenFrame]:
    """Find the faces of frames of one video.

    At most nine frames are held at a time, of very large ones fewer.

    Args:
        frames: Ascending in time.
        detector: What finds faces in one frame.
        is_guided: Whether frames may be looked at in part; else each is searched.

    Yields:
        The frames, in their order.
    """
    run: list[SeenFrame] = []  # the first is searched, the others are not looked at yet
    kind = _Gap.BREAK
    for frame in frames:
        seen = SeenFrame(frame, frame_signature(frame.pixels))
        gap = _gap_between(run[-1], seen) if run and is_guided else _Gap.BREAK
        if gap is _Gap.BREAK or (len(run) > 1 and gap is not kind):
            yield from _finished(run, kind, detector)
            run = [_searched(seen, detector)]
            continue
        kind = gap
        run.append(seen)
        if len(run) > _held_at_most(kind, frame):
            *settled, last = _settled(run, kind, detector)
            yield from settled
            run = [last]
    yield from _finished(run, kind, detector)


def _held_at_most(kind: _Gap, frame: Frame) -> int:
    return max(1, min(kind.value, _MAX_HELD_BYTES // frame.pixels.nbytes))


def _gap_between(before: SeenFrame, now: SeenFrame) -> _Gap:
    seconds = now.frame.pts_seconds - before.frame.pts_seconds
    is_cut = find_cuts([before.signature, now.signature])[1]
    if is_cut or seconds > _NEAR_SECONDS or before.frame.pixels.shape != now.frame.pixels.shape:
        return _Gap.BREAK
    return _Gap.FOLLOW if seconds <= _FOLLOW_SECONDS else _Gap.NEAR


def _finished(run: Sequence[SeenFrame], kind: _Gap, detector: _Detector) -> Iterable[SeenFrame]:
    """Return a run that nothing follows. Within a moment nobody enters unseen."""
    if len(run) < 2:
        return run
    if kind is _Gap.FOLLOW:
        return [run[0], *_guided(run[0], run[1:], kind, detector)]
    return _settled(run, kind, detector)


def _settled(run: Sequence[SeenFrame], kind: _Gap, detector: _Detector) -> list[SeenFrame]:
    """Search the last frame, and look at those between as far as both ends allow."""
    first, between, last = run[0], run[1:-1], _searched(run[-1], detector)
    if _is_steady(first.faces, last.faces):
        return [first, *_guided(first, between, kind, detector), last]
    return [first, *(_searched(seen, detector) for seen in between), last]


def _guided(
    before: SeenFrame, run: Sequence[SeenFrame], kind: _Gap, detector: _Detector
) -> Iterator[SeenFrame]:
    for seen in run:
        now = _guided_one(before, seen, kind, detector)
        yield now
        before = now


def _guided_one(before: SeenFrame, seen: SeenFrame, kind: _Gap, detector: _Detector) -> SeenFrame:
    if len(before.faces) > _MAX_GUIDED or (kind is _Gap.NEAR and not before.faces):
        return _searched(seen, detector)
    view = FrameView(seen.frame.pixels, levels=before.levels)
    look = detector.follow if kind is _Gap.FOLLOW else detector.search_near
    faces = look(view, before.faces)
    if not _is_steady(before.faces, faces):
        return _searched(seen, detector)
    return replace(seen, faces=faces, levels=before.levels)


def _is_steady(before: Sequence[Face], now: Sequence[Face]) -> bool:
    """Return whether the same faces are there, none seen with less confidence."""
    partners = match_faces(before, now)
    return len(before) == len(now) == len(partners) and all(
        now[n].confidence >= min(_STEADY_CONFIDENCE, before[b].confidence)
        for n, b in partners.items()
    )


def _searched(seen: SeenFrame, detector: _Detector) -> SeenFrame:
    found = detector.search(FrameView(seen.frame.pixels))
    return replace(seen, faces=found.faces, levels=found.levels, is_searched=True)
