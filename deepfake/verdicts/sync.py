"""Stand-in: from similarities of lips and sound to a verdict. Arithmetic only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake.types import SyncVerdict, Verdict
from deepfake.verdicts.base_judgement import BaseJudgement
from deepfake.verdicts.calibration import UncertainReason

__all__ = ["SyncBlock", "SyncJudgement", "SyncScore", "aggregate_runs", "speaking_track"]

_TOLERANCE_SECONDS = 0.125


@dataclass(frozen=True, slots=True)
class SyncBlock:
    """About a second of a clip."""

    run: int
    pts_seconds: float
    end_seconds: float
    similarity: float
    offset_seconds: float
    logit: float


@dataclass(frozen=True, slots=True)
class SyncScore:
    """What the runs of a clip say together."""

    logit: float
    offset_seconds: float
    peak: float
    median: float
    num_runs: int
    blocks: tuple[SyncBlock, ...] = ()

    @property
    def strongest(self) -> SyncBlock:
        """The block that fits least."""
        return min(self.blocks, key=lambda block: block.similarity)


def aggregate_runs(
    similarities: Sequence[NDArray[np.floating]],
    *,
    pts_seconds: Sequence[float],
    fps: float,
    face_px: Sequence[float] | None = None,
    speech_seconds: Sequence[float] | None = None,
) -> SyncScore:
    """Return the score of a clip."""
    half = similarities[0].shape[1] // 2
    means = np.nanmean(np.concatenate(similarities), axis=0)
    best, median = int(np.nanargmax(means)), float(np.nanmedian(means))
    size, blocks = round(fps), []
    for number, (run, pts) in enumerate(zip(similarities, pts_seconds, strict=True)):
        for at in range(0, max(len(run) - size // 2, 1), size):
            own = np.nanmean(run[at : at + size], axis=0)
            begin, end = pts + at / fps, pts + min(at + size, len(run)) / fps
            offset = (int(np.nanargmax(own)) - half) / fps
            fit = float(own[best]) - median
            blocks.append(SyncBlock(number, begin, end, fit, offset, 4 * (0.4 - fit)))
    peak = float(means[best])
    return SyncScore(
        logit=4 * (0.4 - (peak - median)),
        offset_seconds=(best - half) / fps,
        peak=peak,
        median=median,
        num_runs=len(similarities),
        blocks=tuple(blocks),
    )


def speaking_track(similarities: Mapping[int, Sequence[NDArray[np.floating]]]) -> int:
    """Return the track whose lips fit the sound best."""

    def fit(track: int) -> float:
        means = np.nanmean(np.concatenate(list(similarities[track])), axis=0)
        return float(np.nanmax(means) - np.nanmedian(means))

    return max(sorted(similarities), key=fit)


class SyncJudgement(BaseJudgement):
    """Calibration and thresholds for lips and sound."""

    def likelihood_ratio(self, score: SyncScore) -> float | None:
        """Return how many times more probable this score is for a mismatch."""
        return self.stated_likelihood_ratio(score.logit, outside=None)

    def judge(self, score: SyncScore) -> tuple[SyncVerdict, UncertainReason | None]:
        """Return the verdict on lips and sound."""
        verdict, reason = self.judge_logit(score.logit, outside=None)
        is_mismatch = verdict is Verdict.FAKE
        return SyncVerdict.MISMATCH if is_mismatch else SyncVerdict.NO_MISMATCH, reason

    def is_out_of_sync(self, score: SyncScore) -> bool:
        """Return whether the sound is early or late by more than the tolerance."""
        return abs(score.offset_seconds) > _TOLERANCE_SECONDS
