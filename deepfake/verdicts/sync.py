"""From how well lips go with sound to whether they say these words. Arithmetic only.

Lips and sound that belong together are alike at one offset and no other, and at the same one
throughout. So the evidence of a block of about a second is how much more alike they are at the
file's common offset than at a median one.

Source: the peak over the median of the curve by offset is the confidence of Chung and Zisserman,
"Out of time: automated lip sync in the wild", ACCV workshops 2016, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from deepfake.errors import DataError
from deepfake.types import SyncVerdict, Verdict
from deepfake.verdicts.base_judgement import BaseJudgement
from deepfake.verdicts.calibration import MIN_PER_CLASS, UncertainReason

__all__ = [
    "SyncBlock",
    "SyncJudgement",
    "SyncScore",
    "SyncSupport",
    "aggregate_runs",
    "fit_sync_support",
    "speaking_track",
]

Similarities = NDArray[np.floating]
_Curve = NDArray[np.float64]

_BLOCK_SECONDS = 1.0
_MIN_KNOWN = 0.5
"""An offset is looked at where the file has sound for so large a share of the windows."""
_MIDDLE = 0.13
"""Evidence at which an uncalibrated logit is 0."""
_LOGITS_PER_COSINE = 10.0

_MAX_OFFSET_SECONDS = 0.125
"""Source: ITU-R BT.1359-1, annex 1: from 125 ms on sound that is late is noticed."""


@dataclass(frozen=True, slots=True)
class SyncBlock:
    """A part of a run of about a second.

    Attributes:
        run: Which of the runs, from 0, as they were given.
        pts_seconds: Where it begins.
        end_seconds: Where it ends.
        similarity: Cosine at the file's offset less the median of all offsets; NaN where the file
            has no sound there.
        offset_seconds: Where its own cosine is largest; positive where the sound is late; NaN as
            above.
        logit: On the scale of the file's; positive for a mismatch; NaN as above.
    """

    run: int
    pts_seconds: float
    end_seconds: float
    similarity: float
    offset_seconds: float
    logit: float


@dataclass(frozen=True, slots=True)
class SyncScore:
    """The score of the runs of a file.

    Attributes:
        logit: Higher means more like a mismatch.
        offset_seconds: The offset at which lips and sound are most alike; positive where the sound
            is late.
        peak: Mean cosine there.
        median: Median of the mean cosines at all offsets.
        num_runs: Runs of mouths.
        blocks: Parts of them, in the order of the runs.
        face_px: Median size of the face; None where it was not given.
        speech_seconds: Of the sound of all runs; None where it was not given.
    """

    logit: float
    offset_seconds: float
    peak: float
    median: float
    num_runs: int
    blocks: tuple[SyncBlock, ...]
    face_px: float | None = None
    speech_seconds: float | None = None

    @property
    def strongest(self) -> SyncBlock:
        """The block most like a mismatch; the earliest of equals."""
        known = [block for block in self.blocks if not np.isnan(block.logit)]
        return min(known, key=lambda block: (-block.logit, block.pts_seconds))


def aggregate_runs(
    similarities: Sequence[Similarities],
    *,
    pts_seconds: Sequence[float],
    fps: float,
    face_px: Sequence[float] | None = None,
    speech_seconds: Sequence[float] | None = None,
) -> SyncScore:
    """Return the score of one file from its runs of the face that speaks.

    The file's evidence is the mean of its weaker half of blocks, so that a file of which half is
    dubbed scores like one that is dubbed whole.

    Args:
        similarities: Cosines of each run, shape (W, 2 K + 1), by offset from -K to K mouths; NaN
            where there is no sound.
        pts_seconds: Where each run begins.
        fps: Mouths a second.
        face_px: Size of the face in each run; None where it is not known.
        speech_seconds: Speech in each run; None where it is not known.

    Raises:
        DataError: No runs, lengths or shapes differ, or no run has sound.

    Example:
        >>> fits = np.tile(np.eye(31)[17], (40, 1))
        >>> score = aggregate_runs([fits], pts_seconds=[2.0], fps=25.0)
        >>> round(score.offset_seconds, 2), score.peak, len(score.blocks)
        (0.08, 1.0, 2)
    """
    runs = _checked(similarities, pts_seconds=pts_seconds)
    curve = _common_curve(np.concatenate(runs))
    best = int(np.nanargmax(curve))
    blocks = tuple(
        block
        for number, (run, pts) in enumerate(zip(runs, pts_seconds, strict=True))
        for block in _blocks(run, number=number, pts_seconds=pts, fps=fps, best=best)
    )
    evidence = np.sort([one.similarity for one in blocks if not np.isnan(one.similarity)])
    if not evidence.size:
        raise DataError("no block of the file has sound at its own offset")
    weaker = evidence[: -(-len(evidence) // 2)]
    return SyncScore(
        logit=_logit(float(weaker.mean())),
        offset_seconds=_refined(curve, best) / fps,
        peak=float(curve[best]),
        median=float(np.nanmedian(curve)),
        num_runs=len(runs),
        blocks=blocks,
        face_px=None if face_px is None else float(np.median(face_px)),
        speech_seconds=None if speech_seconds is None else float(np.sum(speech_seconds)),
    )


def _checked(
    similarities: Sequence[Similarities], *, pts_seconds: Sequence[float]
) -> list[NDArray[np.float64]]:
    if not similarities:
        raise DataError("a file without runs of mouths has no score")
    if len(pts_seconds) != len(similarities):
        raise DataError(f"{len(similarities)} runs, and {len(pts_seconds)} beginnings")
    runs = [np.asarray(run, dtype=np.float64) for run in similarities]
    widths = {run.shape[1:] for run in runs}
    if len(widths) > 1 or any(
        run.ndim != 2 or not len(run) or not run.shape[1] % 2 for run in runs
    ):
        raise DataError(f"runs have the shape (W, 2 K + 1), got {[run.shape for run in runs]}")
    return runs


def _common_curve(rows: NDArray[np.float64]) -> _Curve:
    curve, known = _mean_curve(rows)
    curve[known < _MIN_KNOWN * max(float(known.max()), 1.0)] = np.nan
    if np.isnan(curve).all():
        raise DataError("no run has sound beside its mouths")
    return curve


def _mean_curve(rows: NDArray[np.float64]) -> tuple[_Curve, _Curve]:
    """Return the mean of each column's numbers, NaN where there is none, and how many there are."""
    is_known = ~np.isnan(rows)
    known = is_known.sum(axis=0).astype(np.float64)
    sums = np.where(is_known, rows, 0.0).sum(axis=0)
    return np.where(known > 0, sums / np.maximum(known, 1.0), np.nan), known


def _blocks(
    run: NDArray[np.float64], *, number: int, pts_seconds: float, fps: float, best: int
) -> list[SyncBlock]:
    num = max(1, round(len(run) / (_BLOCK_SECONDS * fps)))
    edges = np.linspace(0, len(run), num + 1).round().astype(int)
    # Windows are longer than their distance: those of one block reach into the next.
    return [
        _block(
            run[begin:end],
            number=number,
            span=(pts_seconds + float(begin) / fps, pts_seconds + float(end) / fps),
            fps=fps,
            best=best,
        )
        for begin, end in pairwise(edges.tolist())
    ]


def _block(
    rows: NDArray[np.float64], *, number: int, span: tuple[float, float], fps: float, best: int
) -> SyncBlock:
    curve, _ = _mean_curve(rows)
    if np.isnan(curve[best]):
        return SyncBlock(number, *span, similarity=np.nan, offset_seconds=np.nan, logit=np.nan)
    similarity = float(curve[best] - np.nanmedian(curve))
    offset = (int(np.nanargmax(curve)) - len(curve) // 2) / fps
    return SyncBlock(number, *span, similarity, offset, _logit(similarity))


def _logit(similarity: float) -> float:
    return _LOGITS_PER_COSINE * (_MIDDLE - similarity)


def _refined(curve: _Curve, best: int) -> float:
    """Return the offset, in mouths, of the top of a parabola through the peak."""
    offset = float(best - len(curve) // 2)
    if not 0 < best < len(curve) - 1:
        return offset
    before, top, after = curve[best - 1 : best + 2]
    bend = before - 2 * top + after
    if not np.isfinite(bend) or bend >= 0:
        return offset
    return offset + float(0.5 * (before - after) / bend)


def speaking_track(similarities: Mapping[int, Sequence[Similarities]]) -> int:
    """Return the face whose lips go best with the sound: the one that speaks.

    Args:
        similarities: Of the runs of each face, by its track.

    Raises:
        DataError: No face, or none has sound beside it.

    Example:
        >>> still, speaks = np.full((40, 31), 0.1), np.tile(np.eye(31)[15], (40, 1))
        >>> speaking_track({0: [still], 4: [speaks]})
        4
    """
    fits = {track: _fit(runs) for track, runs in similarities.items()}
    if not fits or all(fit == -np.inf for fit in fits.values()):
        raise DataError("no face has sound beside it")
    return min(fits, key=lambda track: (-fits[track], track))


def _fit(runs: Sequence[Similarities]) -> float:
    rows = np.concatenate([np.asarray(run, dtype=np.float64) for run in runs])
    if np.isnan(rows).all():
        return -np.inf
    curve = _common_curve(rows)
    return float(np.nanmax(curve) - np.nanmedian(curve))


class SyncSupport(BaseModel):
    """Bounds of the calibration: for a file outside of them, stated error rates do not hold.

    None sets no bound.

    Attributes:
        min_face_px: Median size of the face.
        min_speech_seconds: Speech in all runs together.
        num_samples: Files that the bounds are from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_face_px: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    min_speech_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    num_samples: int = Field(default=0, ge=0)

    def reason_against(self, score: SyncScore) -> UncertainReason | None:
        """Return why a file is outside, None if it is not; an unknown value counts as inside."""
        least, size = self.min_face_px, score.face_px
        if least is not None and size is not None and size < least:
            return UncertainReason.measured(
                "the face is too small to read its lips",
                f"{size:.0f} pixels, calibrated from {least:.0f}",
            )
        shortest, spoken = self.min_speech_seconds, score.speech_seconds
        if shortest is not None and spoken is not None and spoken < shortest:
            return UncertainReason.measured(
                "there is too little speech beside the face",
                f"{spoken:.1f} s, calibrated from {shortest:.1f} s",
            )
        return None


class SyncJudgement(BaseJudgement):
    """Calibration, threshold and support for lips against sound.

    Attributes:
        support: What a file has to be like for a verdict to hold.
        max_offset_seconds: A larger common offset is out of sync. That is a fault of recording or
            broadcast, and no sign of forgery.
    """

    support: SyncSupport = SyncSupport()
    max_offset_seconds: float = Field(default=_MAX_OFFSET_SECONDS, gt=0, allow_inf_nan=False)

    def likelihood_ratio(self, score: SyncScore) -> float | None:
        """Return how many times more probable this score is for a mismatch than for a real file.

        None where none can be stated; see `stated_likelihood_ratio`.
        """
        outside = self.support.reason_against(score)
        return self.stated_likelihood_ratio(score.logit, outside=outside)

    def judge(self, score: SyncScore) -> tuple[SyncVerdict, UncertainReason | None]:
        """Return the verdict on a file, and the reason where it is not applicable.

        Agreement is no sign of a real file, so nothing but a mismatch is ever found.
        """
        outside = self.support.reason_against(score)
        if outside is not None:
            return SyncVerdict.NOT_APPLICABLE, outside
        verdict, _ = self.judge_logit(score.logit, outside=None)
        is_mismatch = verdict is Verdict.FAKE
        return (SyncVerdict.MISMATCH if is_mismatch else SyncVerdict.NO_MISMATCH), None

    def is_out_of_sync(self, score: SyncScore) -> bool:
        """Return whether lips and sound agree, but with a delay that people notice."""
        verdict, _ = self.judge(score)
        is_late = abs(score.offset_seconds) > self.max_offset_seconds
        return verdict is SyncVerdict.NO_MISMATCH and is_late


def fit_sync_support(
    *,
    face_px: NDArray[np.float64] | None,
    speech_seconds: NDArray[np.float64] | None,
    num_samples: int,
    share: float = 0.01,
) -> SyncSupport:
    """Return the bounds of the files of a calibration.

    Args:
        face_px: Of each file, shape (N,); None where it is not known.
        speech_seconds: Of each file, shape (N,); None where it is not known.
        num_samples: Files, N.
        share: Of the files that are left outside by each bound.

    Returns:
        No bound where there are fewer than two times `MIN_PER_CLASS` files.
    """
    if num_samples < 2 * MIN_PER_CLASS:
        return SyncSupport(num_samples=num_samples)
    return SyncSupport(
        min_face_px=None if face_px is None else float(np.quantile(face_px, share)),
        min_speech_seconds=(
            None if speech_seconds is None else float(np.quantile(speech_seconds, share))
        ),
        num_samples=num_samples,
    )
