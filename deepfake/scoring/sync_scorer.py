"""Judge whether the lips of one media file say its words: runs, similarities, a verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.device_process import DeviceClient
from deepfake.config import MediaLimits
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.sync.detector import load_sync_detector
from deepfake.detectors.sync_bundle import load_sync_bundle
from deepfake.extract.extracted_medium import ExtractRequest
from deepfake.extract.lips import MouthExtractor
from deepfake.scoring.scorer_settings import mouth_config_of_bundle
from deepfake.types import Kind, MouthRun, Status, SyncVerdict
from deepfake.verdicts.calibration import shift_prior
from deepfake.verdicts.sync import SyncBlock, SyncScore, aggregate_runs, speaking_track

__all__ = ["SyncAnswer", "SyncScorer", "describe_offset", "face_of_run"]

_NOTHING_TO_COMPARE: Mapping[Status, str] = {
    Status.NO_FACE: "no face was found",
    Status.NO_PICTURE: "sound alone has no lips",
    **dict.fromkeys(
        (
            Status.EMPTY,
            Status.MISSING,
            Status.TOO_LARGE,
            Status.UNREADABLE,
            Status.UNSUPPORTED,
            Status.VANISHED,
        ),
        "the file cannot be read",
    ),
}
"""Statuses of a file whose lips are not looked for, and why."""

_LEAST_OVERLAP = 0.1
"""Overlap of two boxes of one face, at least: it moves in two seconds."""

Similarities = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """What is known of the lips and the sound of one file.

    Attributes:
        columns: Of the file's `Score`.
        blocks: Columns of `BLOCKS_SCHEMA`, a row for about a second of speech.
        seconds: Wall time of all of it.
    """

    columns: Mapping[str, Any]
    blocks: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _SpeakingRun:
    """The run of the face that speaks, and how its mouths fit the sound at each offset."""

    run: MouthRun
    similarities: Similarities  # (T - 4, offsets)


class SyncScorer:
    """Judges the lips of one file after another, with one thread.

    Args:
        identity: Which detector.
        limits: How large a medium may be.
        prior: Share of fakes that the probability shall hold for; None for the bundle's own.
        cache: Where networks converted for the CPU are kept; None converts here.
        client: What computes the networks that find faces, instead of this process.
    """

    def __init__(
        self,
        identity: DetectorIdentity,
        *,
        limits: MediaLimits,
        prior: float | None = None,
        cache: Path | None = None,
        client: DeviceClient | None = None,
    ) -> None:
        bundle = load_sync_bundle(identity.path)
        self._judgement = bundle.spec.judgement
        self._fps = bundle.spec.mouths.fps
        self._prior = prior
        config = mouth_config_of_bundle(bundle, limits=limits)
        self._extractor = MouthExtractor(config, cache=cache, client=client)
        self._detector = load_sync_detector(identity.path, device="cpu", cache=cache, num_threads=1)

    def answer(
        self,
        request: ExtractRequest,
        *,
        status: Status,
        kind: Kind | None,
        frames: Sequence[Mapping[str, Any]] = (),
    ) -> SyncAnswer:
        """Return what is known of a file; a failure is an answer, not an exception.

        Args:
            request: The file.
            status: What came of its faces.
            kind: What it was looked at as.
            frames: Rows of its faces in the table of frames, to name the one that speaks.
        """
        began = time.perf_counter()
        if kind is Kind.IMAGE:
            return SyncAnswer(_not_judged("a picture has no sound"))
        if status in _NOTHING_TO_COMPARE:
            return SyncAnswer(_not_judged(_NOTHING_TO_COMPARE[status]))
        mouths = self._extractor.find(request)
        if mouths.outcome.status is Status.OK and mouths.runs:
            answer = self._answer(request, mouths.runs, frames, message=mouths.outcome.message)
        else:
            reason = mouths.outcome.message or str(mouths.outcome.status)
            answer = SyncAnswer(_not_judged(reason))
        return SyncAnswer(answer.columns, answer.blocks, time.perf_counter() - began)

    def _answer(
        self,
        request: ExtractRequest,
        runs: Sequence[MouthRun],
        frames: Sequence[Mapping[str, Any]],
        *,
        message: str | None,
    ) -> SyncAnswer:
        speaking = self._speaking_runs(runs)
        result = aggregate_runs(
            [own.similarities for own in speaking],
            pts_seconds=[own.run.pts_seconds for own in speaking],
            fps=self._fps,
            face_px=[own.run.face_px for own in speaking],
            speech_seconds=[own.run.speech_seconds for own in speaking],
        )
        faces = [face_of_run(own.run, frames) for own in speaking]
        columns = self._columns(result, message=message)
        name = {"uri": request.uri, "media_id": request.media_id}
        rows = tuple({**name, **self._block_row(block, speaking, faces)} for block in result.blocks)
        return SyncAnswer({**columns, "speaking_track_id": _most_common(faces)}, rows)

    def _speaking_runs(self, runs: Sequence[MouthRun]) -> list[_SpeakingRun]:
        """Return the run of the face that fits best, for each moment that was looked at."""
        by_moment: dict[int, dict[int, _SpeakingRun]] = {}
        for run in runs:
            fits = _SpeakingRun(run, self._detector.similarities(run))
            by_moment.setdefault(run.run_index, {})[run.track_id] = fits
        return [
            own[speaking_track({track: [fits.similarities] for track, fits in own.items()})]
            for _, own in sorted(by_moment.items())
        ]

    def _columns(self, result: SyncScore, *, message: str | None) -> dict[str, Any]:
        verdict, uncertain = self._judgement.judge(result)
        reasons = [message, None if uncertain is None else str(uncertain)]
        if verdict is SyncVerdict.MISMATCH:
            reasons.append("the lips do not move as the words sound")
        is_out_of_sync = self._judgement.is_out_of_sync(result)
        if is_out_of_sync:
            reasons.append(describe_offset(result.offset_seconds))
        return {
            "verdict_sync": verdict,
            "reason_sync": "; ".join(filter(None, reasons)) or None,
            "prob_mismatch": self._prob(result.logit),
            "logit_sync": result.logit,
            "offset_sync_seconds": result.offset_seconds,
            "is_out_of_sync": is_out_of_sync,
            "num_runs": result.num_runs,
            "strongest_sync_pts_seconds": result.strongest.pts_seconds,
            "strongest_sync_end_seconds": result.strongest.end_seconds,
            **self._likelihood_ratios(result),
        }

    def _block_row(
        self, block: SyncBlock, speaking: Sequence[_SpeakingRun], faces: Sequence[int | None]
    ) -> dict[str, Any]:
        return {
            "run_index": speaking[block.run].run.run_index,
            "track_id": faces[block.run],
            "pts_seconds": block.pts_seconds,
            "end_seconds": block.end_seconds,
            "similarity": block.similarity,
            "offset_seconds": block.offset_seconds,
            "prob_mismatch": self._prob(block.logit),
        }

    def _likelihood_ratios(self, result: SyncScore) -> dict[str, float]:
        bounds = self._judgement.likelihood_ratio_bounds
        value = self._judgement.likelihood_ratio(result)
        if bounds is None or value is None:
            return {}
        return {
            "likelihood_ratio_sync": value,
            "likelihood_ratio_sync_min": bounds.lower,
            "likelihood_ratio_sync_max": bounds.upper,
        }

    def _prob(self, logit: float) -> float:
        calibration = self._judgement.calibration
        prob = calibration.prob(logit)
        if self._prior is None or self._prior == calibration.prior:
            return prob
        return shift_prior(prob, from_prior=calibration.prior, to_prior=self._prior)


def describe_offset(seconds: float) -> str:
    """Return a sentence on sound that is early or late all through.

    Args:
        seconds: Of the sound against the picture; positive where it is late.

    Example:
        >>> describe_offset(0.2)
        'the sound is 200 ms late throughout, which is no sign of a fake'
    """
    word = "late" if seconds > 0 else "early"
    return (
        f"the sound is {abs(seconds) * 1000:.0f} ms {word} throughout, which is no sign of a fake"
    )


def face_of_run(run: MouthRun, frames: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the track of the table of frames whose face a run shows; None where none fits.

    Args:
        run: With the box of its face, where that is known.
        frames: Rows of the faces of the file.

    Returns:
        The track whose boxes overlap most with that of the run, in frames of the run if there are
        any; without a box, the only track that there is.
    """
    tracks = {int(row["track_id"]) for row in frames}
    if run.box_xyxy is None or not frames:
        return tracks.pop() if len(tracks) == 1 else None
    within = [row for row in frames if run.pts_seconds <= row["pts_seconds"] < run.end_seconds]
    best = max(within or frames, key=lambda row: _overlap(run.box_xyxy, row["bbox_xyxy"]))
    is_same = _overlap(run.box_xyxy, best["bbox_xyxy"]) >= _LEAST_OVERLAP
    return int(best["track_id"]) if is_same else None


def _overlap(first: Sequence[float] | None, second: Sequence[float]) -> float:
    """Return the intersection of two boxes over their union."""
    if first is None:
        return 0.0
    sides = [
        max(0.0, min(first[axis + 2], second[axis + 2]) - max(first[axis], second[axis]))
        for axis in (0, 1)
    ]
    shared = sides[0] * sides[1]
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)) - shared
    return shared / whole if whole > 0 else 0.0


def _most_common(faces: Sequence[int | None]) -> int | None:
    """Return the face that speaks in most runs, the one with the lower number of equals."""
    counts = Counter(face for face in faces if face is not None)
    return min(counts, key=lambda face: (-counts[face], face), default=None)


def _not_judged(reason: str) -> dict[str, Any]:
    return {"verdict_sync": SyncVerdict.NOT_APPLICABLE, "reason_sync": reason}
