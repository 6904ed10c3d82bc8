"""One frame after another: who is there, and what is said of each face."""

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
)
from deepfake.media import decode_crop
from deepfake.types import Face, Frame, Verdict
from deepfake.views.webcam.rolling_verdict import Judgement, TrackJudge

__all__ = ["WatchedFace", "Watcher", "create_watcher"]

_GONE_SECONDS = 1.0
"""A face that is away for longer is another when it comes back,"""

_GONE_FRAMES = 3
"""if more than so many frames were looked at meanwhile."""

_MAX_CLASSIFIED = 6
"""Faces of a frame that the network sees: with more, they take turns."""


@dataclass(frozen=True, slots=True)
class WatchedFace:
    """A face of a frame and what is said of it.

    Attributes:
        track_id: The person's number, from 0, in the order of first appearance.
        bbox_xyxy: Left, top, right, bottom, pixels; may reach over the border.
        judgement: What is said; None while the network has not seen it yet.
    """

    track_id: int
    bbox_xyxy: tuple[float, float, float, float]
    judgement: Judgement | None

    @property
    def verdict(self) -> Verdict:
        """What is shown."""
        return Verdict.UNCERTAIN if self.judgement is None else self.judgement.verdict

    @property
    def reason(self) -> str | None:
        """What a reader has to know of it."""
        if self.judgement is None:
            return "not looked at yet: too many faces at once"
        return self.judgement.reason

    @property
    def prob_fake(self) -> float | None:
        """Of the last seconds."""
        return None if self.judgement is None else self.judgement.prob_fake


@dataclass
class _Followed:
    """A person who is there."""

    track_id: int
    judge: TrackJudge
    face: Face
    seen_at: float
    seen_in: int
    judgement: Judgement | None = None
    judged_in: int = -1


class Watcher:
    """Finds, follows and judges the faces of frames that come one after another.

    Args:
        detector: The detector.
        faces: What finds faces.
    """

    def __init__(self, detector: Detector, *, faces: MtcnnDetector) -> None:
        self._detector = detector
        self._follower = LiveFaceDetector(faces)
        self._followed: list[_Followed] = []
        self._last: SeenFrame | None = None
        self._num_tracks = self._num_frames = 0

    def look(self, frame: Frame) -> tuple[WatchedFace, ...]:
        """Return the faces of a frame, in the order of their first appearance.

        Args:
            frame: Later than the one before.
        """
        seen = self._follower.detect(frame)
        self._num_frames += 1
        if self._last is not None and find_cuts([self._last.signature, seen.signature])[1]:
            self._followed = []
        self._last = seen
        now = self._follow(seen)
        judged = self._judge(frame, now)
        return tuple(
            WatchedFace(
                track_id=one.track_id,
                bbox_xyxy=one.face.bbox_xyxy,
                judgement=judged.get(one.track_id, one.judgement),
            )
            for one in sorted(now, key=lambda one: one.track_id)
        )

    def _follow(self, seen: SeenFrame) -> list[_Followed]:
        """Give each face of a frame to somebody, and return those who are there."""
        at = seen.frame.pts_seconds
        known = [one for one in self._followed if not self._is_gone(one, at)]
        partners = match_faces([one.face for one in known], seen.faces)
        here = []
        for number, face in enumerate(seen.faces):
            if number in partners:
                one = known[partners[number]]
                one.face, one.seen_at, one.seen_in = face, at, self._num_frames
            else:
                one = self._newcomer(face, at)
                known.append(one)
            here.append(one)
        self._followed = known
        return here

    def _is_gone(self, one: _Followed, at: float) -> bool:
        is_long = at - one.seen_at > _GONE_SECONDS
        return is_long and self._num_frames - one.seen_in > _GONE_FRAMES

    def _newcomer(self, face: Face, at: float) -> _Followed:
        one = _Followed(
            track_id=self._num_tracks,
            judge=TrackJudge(self._detector.spec),
            face=face,
            seen_at=at,
            seen_in=self._num_frames,
        )
        self._num_tracks += 1
        return one

    def _judge(self, frame: Frame, here: Sequence[_Followed]) -> dict[int, Judgement]:
        """Let the network see those whom it has not seen for longest; return what is new."""
        due = sorted(here, key=lambda one: (one.judged_in, -one.face.size_px))[:_MAX_CLASSIFIED]
        if not due:
            return {}
        config = self._detector.spec.crop
        crops = [make_crop(frame, one.face, config=config) for one in due]
        # What was stored is what is scored: the crops go through their codec here too.
        said = self._detector.head_outputs([decode_crop(crop.encoded) for crop in crops])
        found = {}
        for at, (one, crop) in enumerate(zip(due, crops, strict=True)):
            told = {name: float(values[at]) for name, values in said.items()}
            found[one.track_id] = one.judge.add(crop, told)
            # Whoever is not seen next time has the same verdict, and no change.
            one.judgement = _kept(found[one.track_id])
            one.judged_in = self._num_frames
        return found


def _kept(judgement: Judgement) -> Judgement:
    return Judgement(judgement.verdict, judgement.reason, judgement.prob_fake)


def create_watcher(folder: Path, *, device: str = "auto", cache: Path | None = None) -> Watcher:
    """Load a detector's bundle and all networks.

    Args:
        folder: The bundle.
        device: `auto`, `cpu` or `cuda`.
        cache: Where networks converted for the CPU are kept; None converts them here.

    Raises:
        BundleError: The bundle is incomplete or altered.
        ConfigError: The device is not there.
    """
    # One thread finds faces, one core each classifies one of them, and another thread decodes.
    limit_threads()
    detector = load_detector(folder, device=device, cache=cache)
    faces = MtcnnDetector(detector.spec.faces, device=detector.device, cache=cache)
    return Watcher(detector, faces=faces)
