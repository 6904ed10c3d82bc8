"""A stable verdict on a face, from the head outputs of its crops over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from deepfake.detectors.bundles import DetectorSpec
from deepfake.detectors.heads import describe_fake
from deepfake.types import FaceCrop, Kind, Verdict
from deepfake.verdicts.aggregation import TrackScore, aggregate_track
from deepfake.verdicts.calibration import Thresholds, UncertainReason, judge

__all__ = ["HOLD_SECONDS", "WINDOW_SECONDS", "Hysteresis", "LiveVerdict", "TrackJudge"]

WINDOW_SECONDS = 3.0
"""Time that is averaged over: about the length of the clips that videos are calibrated on."""

HOLD_SECONDS = 1.0
"""A verdict changes only after another one has held for this time."""

_MARGIN = 0.05
"""How far the probability must be past a threshold before `real` or `fake` is given up."""


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """The verdict on a face at a moment.

    Attributes:
        verdict: The verdict that is shown.
        reason: What a reader has to know about it; None if nothing.
        prob_fake: Of the last seconds, calibrated for videos, at the calibration's own prior.
        is_changed: Whether the verdict has just changed, or is the first that has held.
    """

    verdict: Verdict
    reason: str | None
    prob_fake: float
    is_changed: bool = False


class Hysteresis:
    """A verdict that changes only after another one has held for some time.

    Args:
        thresholds: Where the verdict changes.
        hold_seconds: For how long another verdict has to hold.
        margin: How far the probability must be past a threshold before `real` or `fake` is given
            up.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        hold_seconds: float = HOLD_SECONDS,
        margin: float = _MARGIN,
    ) -> None:
        self._hold_seconds = hold_seconds
        self._thresholds = {
            None: thresholds,
            Verdict.UNCERTAIN: thresholds,
            Verdict.REAL: _with_real_below(thresholds, margin),
            Verdict.FAKE: _with_fake_from(thresholds, margin),
        }
        self._held: Verdict | None = None
        self._other: Verdict | None = None
        self._other_since = self._last_at = 0.0

    def judge(
        self, prob: float, *, pts_seconds: float, outside: UncertainReason | None = None
    ) -> LiveVerdict:
        """Return the verdict at a moment.

        Args:
            prob: Probability at the calibration's own prior.
            pts_seconds: The moment, ascending.
            outside: Why the face is outside of the calibration's support; None if it is not.

        Raises:
            DataError: The probability is not between 0 and 1.
        """
        now, _ = judge(prob, thresholds=self._thresholds[self._held], outside=outside)
        is_changed = self._has_held(now, pts_seconds)
        if is_changed:
            self._held, self._other = now, None
        shown = self._held or Verdict.UNCERTAIN
        reason = self._reason(shown, prob, outside) if shown is Verdict.UNCERTAIN else None
        return LiveVerdict(shown, reason, prob, is_changed)

    def _has_held(self, now: Verdict, pts_seconds: float) -> bool:
        """Record the present verdict, and return whether it has held for long enough."""
        is_unseen = pts_seconds - self._last_at > self._hold_seconds
        self._last_at = pts_seconds
        if now is self._held:
            self._other = None
            return False
        if now is not self._other or is_unseen:
            self._other, self._other_since = now, pts_seconds
        return pts_seconds - self._other_since >= self._hold_seconds

    def _reason(self, shown: Verdict, prob: float, outside: UncertainReason | None) -> str:
        _, reason = judge(prob, thresholds=self._thresholds[shown], outside=outside)
        if reason is not None:
            return reason.message
        return f"not seen for long enough: it has to hold for {self._hold_seconds:g} s"


def _with_real_below(thresholds: Thresholds, margin: float) -> Thresholds:
    real_below = min(thresholds.real_below + margin, thresholds.fake_from, 1.0)
    return thresholds.model_copy(update={"real_below": real_below})


def _with_fake_from(thresholds: Thresholds, margin: float) -> Thresholds:
    fake_from = max(thresholds.fake_from - margin, thresholds.real_below)
    return thresholds.model_copy(update={"fake_from": fake_from})


class TrackJudge:
    """Gives a verdict on one face from its crops over the last seconds.

    Args:
        spec: The detector's description: aggregation, calibration, thresholds and support for
            videos.
        window_seconds: Time that is averaged over; more where it has too few frames to judge.
        hold_seconds: As for `Hysteresis`.
    """

    def __init__(
        self,
        spec: DetectorSpec,
        *,
        window_seconds: float = WINDOW_SECONDS,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        self._spec = spec
        self._judgement = spec.judgement_of(Kind.VIDEO)
        self._window_seconds = window_seconds
        self._hysteresis = Hysteresis(self._judgement.thresholds, hold_seconds=hold_seconds)
        self._rows: deque[dict[str, float]] = deque()

    def add(self, crop: FaceCrop, measured: Mapping[str, float]) -> LiveVerdict:
        """Add a crop and return the verdict at its time.

        Args:
            crop: A crop, later than the one before.
            measured: What the network returns for it, by the names of `DetectorSpec.outputs`, and
                its `colour` where known.
        """
        row = {
            "frame_index": float(crop.frame_index),
            "pts_seconds": crop.pts_seconds,
            "confidence": crop.face.confidence,
            "face_px": crop.face.size_px,
            "sharpness": crop.sharpness,
        }
        self._rows.append({**row, **measured})
        while len(self._rows) > self._judgement.support.min_frames and self._is_old(crop):
            self._rows.popleft()
        score = aggregate_track(
            {name: [r[name] for r in self._rows] for name in self._rows[-1]},
            config=self._spec.aggregation,
        )
        return self._judged(score, pts_seconds=crop.pts_seconds)

    def _is_old(self, crop: FaceCrop) -> bool:
        return crop.pts_seconds - self._rows[0]["pts_seconds"] > self._window_seconds

    def _judged(self, score: TrackScore, *, pts_seconds: float) -> LiveVerdict:
        prob = self._judgement.calibration.prob(score.logit)
        outside = self._judgement.reason_against(score, prob=prob)
        found = self._hysteresis.judge(prob, pts_seconds=pts_seconds, outside=outside)
        if found.verdict is not Verdict.FAKE:
            return found
        reason = describe_fake(self._spec.heads, self._rows)
        return LiveVerdict(found.verdict, reason, found.prob_fake, found.is_changed)
