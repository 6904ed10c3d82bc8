"""What of the evidence needs no look at the file: probabilities over time, and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepfake.detectors.bundles import Bundle
from deepfake.evidence.records import EvidenceRecord, TrackTimeline
from deepfake.verdicts.calibration import Calibration, Thresholds, shift_prior

__all__ = ["ExplainRequest", "settings_of", "thresholds_shown", "timelines"]


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """A file whose score is to be explained.

    Attributes:
        uri: Where it is.
        media_id: Digest of the bytes that were scored.
        made_for: Names the score and what makes its evidence.
        score: Its row: columns `kind`, `prior`, `strongest_track_id` and `status` are read.
        frames: The rows of its faces: `track_id`, `frame_index`, `pts_seconds`, `bbox_xyxy`,
            `confidence`, `logit` and `prob_fake` are read.
    """

    uri: str
    media_id: str
    made_for: str
    score: Mapping[str, Any]
    frames: tuple[Mapping[str, Any], ...]


def settings_of(bundle: Bundle, score: Mapping[str, Any]) -> tuple[Calibration, Thresholds]:
    """Return calibration and thresholds of a file of this kind."""
    spec = bundle.spec
    if score.get("kind") == "image":
        return spec.calibration_still, spec.thresholds_still
    return spec.calibration_video, spec.thresholds_video


def thresholds_shown(bundle: Bundle, score: Mapping[str, Any]) -> tuple[float, float]:
    """Return where `real` ends and `fake` begins in the terms of the score's `prob_fake`.

    Verdicts are judged at the prior of the calibration, `prob_fake` may hold for another.
    """
    calibration, thresholds = settings_of(bundle, score)
    prior = score.get("prior")
    low, high = thresholds.real_below, thresholds.fake_from
    if prior is None or prior == calibration.prior:
        return low, high
    shifted = [
        shift_prior(value, from_prior=calibration.prior, to_prior=float(prior))
        if 0 < value < 1
        else value
        for value in (low, high)
    ]
    return shifted[0], shifted[1]


def timelines(request: ExplainRequest, *, bundle: Bundle) -> EvidenceRecord:
    """Return the evidence that needs no look at the file: probabilities over time.

    Args:
        request: The score.
        bundle: The detector.
    """
    low, high = thresholds_shown(bundle, request.score)
    strongest = request.score.get("strongest_track_id")
    by_track: dict[int, list[Mapping[str, Any]]] = {}
    for row in sorted(request.frames, key=lambda row: float(row["pts_seconds"])):
        by_track.setdefault(int(row["track_id"]), []).append(row)
    return EvidenceRecord(
        media_id=request.media_id,
        made_for=request.made_for,
        kind=request.score.get("kind"),
        real_below=low,
        fake_from=high,
        tracks=tuple(
            TrackTimeline(
                track_id=track,
                is_strongest=track == strongest,
                pts_seconds=tuple(float(row["pts_seconds"]) for row in rows),
                prob_fake=tuple(float(row["prob_fake"]) for row in rows),
            )
            for track, rows in sorted(by_track.items())
        ),
    )
