"""From the logits of windows of speech to the verdict on a file's voice. Arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from deepfake.errors import DataError
from deepfake.types import Verdict
from deepfake.verdicts.base_judgement import BaseJudgement
from deepfake.verdicts.calibration import MIN_PER_CLASS, UncertainReason

__all__ = [
    "VoiceJudgement",
    "VoiceScore",
    "VoiceSupport",
    "aggregate_windows",
    "fit_voice_support",
]


@dataclass(frozen=True, slots=True)
class VoiceScore:
    """The score of the speech of a file.

    Attributes:
        logit: Mean over its windows; positive means fake.
        num_windows: Windows of speech.
        strongest_pts_seconds: Where the window of the highest logit begins; the earliest of equals.
        strongest_end_seconds: Where it ends.
        novelty: Mean distance from the training data; None where it was not given.
        bandwidth_hz: Median frequency up to which there is sound; None where it was not given.
    """

    logit: float
    num_windows: int
    strongest_pts_seconds: float
    strongest_end_seconds: float
    novelty: float | None = None
    bandwidth_hz: float | None = None


def aggregate_windows(
    logits: ArrayLike,
    *,
    pts_seconds: ArrayLike,
    end_seconds: ArrayLike,
    novelty: ArrayLike | None = None,
    bandwidth_hz: ArrayLike | None = None,
) -> VoiceScore:
    """Return the score of one file from its windows of speech, in any order.

    Args:
        logits: Of each window, shape (N,), as are the others.
        pts_seconds: Where each begins.
        end_seconds: Where each ends.
        novelty: Distance of each from the training data; None or a NaN where it is not known.
        bandwidth_hz: Of each; None or a NaN where it is not known.

    Raises:
        DataError: No windows, lengths differ, or a logit is not a finite number. A file without
            speech has a status, not a score.

    Example:
        >>> score = aggregate_windows([1.0, 3.0], pts_seconds=[0.0, 4.0], end_seconds=[4.0, 8.0])
        >>> score.logit, score.strongest_pts_seconds
        (2.0, 4.0)
    """
    values = np.asarray(logits, dtype=np.float64)
    if not values.size:
        raise DataError("a file without windows of speech has no score")
    if not np.isfinite(values).all():
        raise DataError("a logit is not a finite number")
    begins, ends = (_column(one, num=len(values)) for one in (pts_seconds, end_seconds))
    best = np.lexsort((begins, -values))[0]
    distances, bandwidths = (_known(one, num=len(values)) for one in (novelty, bandwidth_hz))
    return VoiceScore(
        # fsum is exact, so the order of the windows cannot show in the last bit.
        logit=math.fsum(values) / len(values),
        num_windows=len(values),
        strongest_pts_seconds=float(begins[best]),
        strongest_end_seconds=float(ends[best]),
        novelty=None if distances is None else math.fsum(distances) / len(values),
        bandwidth_hz=None if bandwidths is None else float(np.median(bandwidths)),
    )


def _column(values: ArrayLike, *, num: int) -> NDArray[np.float64]:
    column = np.asarray(values, dtype=np.float64)
    if column.shape != (num,):
        raise DataError(f"a value a window is needed, {num}, got the shape {column.shape}")
    return column


def _known(values: ArrayLike | None, *, num: int) -> NDArray[np.float64] | None:
    # What is not known of every window of a file is not known of the file.
    if values is None or not np.isfinite(column := _column(values, num=num)).all():
        return None
    return column


class VoiceSupport(BaseModel):
    """Bounds of the calibration: for a voice outside of them, stated error rates do not hold.

    None sets no bound.

    Attributes:
        max_novelty: Mean distance from the training data in feature space.
        min_bandwidth_hz: Frequency up to which there has to be sound.
        num_samples: Files that the bounds are from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_novelty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    min_bandwidth_hz: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    num_samples: int = Field(default=0, ge=0)

    def reason_against(self, score: VoiceScore) -> UncertainReason | None:
        """Return why a file is outside, None if it is not; an unknown value counts as inside.

        Example:
            >>> score = VoiceScore(0.0, 1, 0.0, 4.0, novelty=3.0)
            >>> VoiceSupport(max_novelty=2.0).reason_against(score).message
            'the voice is unlike those learnt from: distance 3.00, calibrated up to 2.00'
        """
        bandwidth, least = score.bandwidth_hz, self.min_bandwidth_hz
        if least is not None and bandwidth is not None and bandwidth < least:
            return UncertainReason.measured(
                "the sound has too few high frequencies",
                f"up to {bandwidth:,.0f} Hz, calibrated from {least:,.0f} Hz",
            )
        most = self.max_novelty
        if most is not None and score.novelty is not None and score.novelty > most:
            return UncertainReason.measured(
                "the voice is unlike those learnt from",
                f"distance {score.novelty:.2f}, calibrated up to {most:.2f}",
            )
        return None


class VoiceJudgement(BaseJudgement):
    """Calibration, thresholds and support for voices.

    Attributes:
        support: What a file has to be like for a verdict to hold.
    """

    support: VoiceSupport = VoiceSupport()

    def likelihood_ratio(self, score: VoiceScore) -> float | None:
        """Return how many times more probable this score is for a fake than for a real file.

        None where none can be stated; see `stated_likelihood_ratio`.
        """
        outside = self.support.reason_against(score)
        return self.stated_likelihood_ratio(score.logit, outside=outside)

    def judge(self, score: VoiceScore) -> tuple[Verdict, UncertainReason | None]:
        """Return the verdict on a file's voice, and the reason if it is uncertain."""
        return self.judge_logit(score.logit, outside=self.support.reason_against(score))


def fit_voice_support(
    *,
    novelty: NDArray[np.float64] | None,
    bandwidth_hz: NDArray[np.float64] | None,
    num_samples: int,
    share: float = 0.01,
) -> VoiceSupport:
    """Return the bounds of the files of a calibration.

    Args:
        novelty: Of each file, shape (N,); None where the detector does not return it.
        bandwidth_hz: Of each file, shape (N,); None where it is not known.
        num_samples: Files, N.
        share: Of the files that are left outside on each side.

    Returns:
        No bound where there are fewer than two times `MIN_PER_CLASS` files.
    """
    if num_samples < 2 * MIN_PER_CLASS:
        return VoiceSupport(num_samples=num_samples)
    return VoiceSupport(
        max_novelty=None if novelty is None else float(np.quantile(novelty, 1 - share)),
        min_bandwidth_hz=None if bandwidth_hz is None else float(np.quantile(bandwidth_hz, share)),
        num_samples=num_samples,
    )
