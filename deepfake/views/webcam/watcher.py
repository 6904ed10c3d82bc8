"""Analyse one frame after another: find its faces, follow them, and judge each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake.detectors.inference import Detector, load_detector
from deepfake.extract.extractor import limit_threads, make_crop
from deepfake.extract.faces import (
    LiveFaceDetector,
    MtcnnDetector,
    SeenFrame,
    find_cuts,
    match_faces,
    spread_of_colour,
)
from deepfake.media import decode_crop
from deepfake.types import Face, Frame, Verdict
from deepfake.views.webcam.rolling_verdict import LiveVerdict, TrackJudge

__all__ = ["WatchedFace", "Watcher", "create_watcher"]

_GONE_SECONDS = 1.0
"""A face that is gone for longer gets a new track when it comes back,"""

_GONE_FRAMES = 3
"""if more than this number of frames were analysed in between."""

_MAX_CLASSIFIED = 6
"""Faces classified in each frame: if there are more, they take turns."""


@dataclass(frozen=True, slots=True)
class WatchedFace:
    """A face in a frame, and the verdict on it.

    Attributes:
        track_id: Number of the person, from 0, in the order of first appearance.
        bbox_xyxy: Left, top, right, bottom, in pixels; may reach over the border.
        live_verdict: The verdict; None while the face has not been classified yet.
    """

    track_id: int
    bbox_xyxy: tuple[float, float, float, float]
    live_verdict: LiveVerdict | None

    @property
    def verdict(self) -> Verdict:
        """The verdict that is shown."""
        return Verdict.UNCERTAIN if self.live_verdict is None else self.live_verdict.verdict

    @property
    def reason(self) -> str | None:
        """What a reader has to know about the verdict."""
        if self.live_verdict is None:
            return "not classified yet: too many faces at once"
        return self.live_verdict.reason

    @property
    def prob_fake(self) -> float | None:
        """The probability over the last seconds."""
        return None if self.live_verdict is None else self.live_verdict.prob_fake


@dataclass
class _Track:
    """A face that is followed from frame to frame."""

    track_id: int
    judge: TrackJudge
    face: Face
    seen_at: float
    seen_in: int
    live_verdict: LiveVerdict | None = None
    judged_in: int = -1


class Watcher:
    """Finds, follows and judges the faces of frames that come one after another.

    Args:
        detector: The detector.
        faces: The face detector.
    """

    def __init__(self, detector: Detector, *, faces: MtcnnDetector) -> None:
        self._detector = detector
        self._follower = LiveFaceDetector(faces)
        self._tracks: list[_Track] = []
        self._last: SeenFrame | None = None
        self._num_tracks = self._num_frames = 0

    def analyse(self, frame: Frame) -> tuple[WatchedFace, ...]:
        """Return the faces of a frame, in the order of their first appearance.

        Args:
            frame: A frame, later than the one before.
        """
        seen = self._follower.detect(frame)
        self._num_frames += 1
        if self._last is not None and find_cuts([self._last.signature, seen.signature])[1]:
            self._tracks = []
        self._last = seen
        now = self._follow(seen)
        judged = self._judge(frame, now)
        return tuple(
            WatchedFace(
                track_id=track.track_id,
                bbox_xyxy=track.face.bbox_xyxy,
                live_verdict=judged.get(track.track_id, track.live_verdict),
            )
            for track in sorted(now, key=lambda track: track.track_id)
        )

    def _follow(self, seen: SeenFrame) -> list[_Track]:
        """Assign each face of a frame to a track, and return the tracks of these faces."""
        at = seen.frame.pts_seconds
        known = [track for track in self._tracks if not self._is_gone(track, at)]
        partners = match_faces([track.face for track in known], seen.faces)
        here = []
        for number, face in enumerate(seen.faces):
            if number in partners:
                track = known[partners[number]]
                track.face, track.seen_at, track.seen_in = face, at, self._num_frames
            else:
                track = self._new_track(face, at)
                known.append(track)
            here.append(track)
        self._tracks = known
        return here

    def _is_gone(self, track: _Track, at: float) -> bool:
        is_long = at - track.seen_at > _GONE_SECONDS
        return is_long and self._num_frames - track.seen_in > _GONE_FRAMES

    def _new_track(self, face: Face, at: float) -> _Track:
        track = _Track(
            track_id=self._num_tracks,
            judge=TrackJudge(self._detector.spec),
            face=face,
            seen_at=at,
            seen_in=self._num_frames,
        )
        self._num_tracks += 1
        return track

    def _judge(self, frame: Frame, here: Sequence[_Track]) -> dict[int, LiveVerdict]:
        """Classify the faces that have waited longest; return the new verdict of each track."""
        longest_first = sorted(here, key=lambda track: (track.judged_in, -track.face.size_px))
        due = longest_first[:_MAX_CLASSIFIED]
        if not due:
            return {}
        config = self._detector.spec.crop
        crops = [make_crop(frame, track.face, config=config) for track in due]
        # Through their codec, as in scoring files.
        squares = [decode_crop(crop.encoded) for crop in crops]
        head_outputs = self._detector.head_outputs(squares)
        found = {}
        for at, (track, crop) in enumerate(zip(due, crops, strict=True)):
            measured = {name: float(values[at]) for name, values in head_outputs.items()}
            measured["colour"] = spread_of_colour(squares[at])
            found[track.track_id] = track.judge.add(crop, measured)
            # In a frame in which the face is not classified, its verdict is the same.
            track.live_verdict = _without_change(found[track.track_id])
            track.judged_in = self._num_frames
        return found


def _without_change(live_verdict: LiveVerdict) -> LiveVerdict:
    return LiveVerdict(live_verdict.verdict, live_verdict.reason, live_verdict.prob_fake)


def create_watcher(folder: Path, *, device: str = "auto", cache: Path | None = None) -> Watcher:
    """Load a detector's bundle and all networks.

    Args:
        folder: The bundle.
        device: `auto`, `cpu` or `cuda`.
        cache: Where networks converted for the CPU are cached; None converts them again.

    Raises:
        BundleError: The bundle is incomplete or altered.
        ConfigError: There is no such device.
    """
    # One thread finds faces, each core classifies one of them, and another thread decodes.
    limit_threads()
    detector = load_detector(folder, device=device, cache=cache)
    faces = MtcnnDetector(detector.spec.faces, device=detector.device, cache=cache)
    return Watcher(detector, faces=faces)
