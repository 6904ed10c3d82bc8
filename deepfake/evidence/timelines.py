"""Timelines: the probability of each face over time, and the thresholds that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfake.detectors.bundles import Bundle
from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.detectors.voice_bundle import VoiceBundle
from deepfake.evidence.lips import create_sync
from deepfake.evidence.records import EvidenceRecord, TrackTimeline
from deepfake.evidence.request import EvidenceRequest
from deepfake.evidence.voices import create_voice
from deepfake.types import Kind
from deepfake.verdicts.calibration import Calibration, Thresholds

__all__ = ["calibration_of", "create_record"]


def create_record(
    request: EvidenceRequest,
    *,
    bundle: Bundle,
    voice_bundle: VoiceBundle | None = None,
    sync_bundle: SyncBundle | None = None,
) -> EvidenceRecord:
    """Return an evidence record with timelines, for which the file need not be read.

    Args:
        request: The score.
        bundle: The detector.
        voice_bundle: The detector of voices; None leaves its thresholds out.
        sync_bundle: The detector of lips and sound; None leaves its threshold out.
    """
    real_below, fake_from = _thresholds_of(request.score, bundle=bundle)
    return EvidenceRecord(
        media_id=request.media_id,
        made_for=request.made_for,
        kind=request.score.get("kind"),
        real_below=real_below,
        fake_from=fake_from,
        tracks=_timelines(request),
        notes=(*_notes_on_turn(request), *_notes_on_voice(request, voice_bundle)),
        voice=create_voice(request, bundle=voice_bundle),
        sync=create_sync(request, bundle=sync_bundle),
    )


def _notes_on_voice(request: EvidenceRequest, bundle: VoiceBundle | None) -> tuple[str, ...]:
    if request.score.get("prob_fake_voice") is None or bundle is not None:
        return ()
    note = (
        "The detector that judged the voice is not here: from which probability on its verdicts "
        "change is not shown."
    )
    return (note,)


def _notes_on_turn(request: EvidenceRequest) -> tuple[str, ...]:
    # Tables of earlier versions do not have it.
    degrees = max((int(row.get("turned_degrees") or 0) for row in request.frames), default=0)
    if not degrees:
        return ()
    note = (
        f"It was turned clockwise by {degrees} degrees, as no upright face was found as it is "
        "shown: frames are shown as they are, faces as the detector saw them."
    )
    return (note,)


def _timelines(request: EvidenceRequest) -> tuple[TrackTimeline, ...]:
    strongest = request.score.get("strongest_track_id")
    by_track: dict[int, list[Mapping[str, Any]]] = {}
    for row in sorted(request.frames, key=lambda row: float(row["pts_seconds"])):
        by_track.setdefault(int(row["track_id"]), []).append(row)
    return tuple(
        TrackTimeline(
            track_id=track,
            is_strongest=track == strongest,
            pts_seconds=tuple(float(row["pts_seconds"]) for row in rows),
            prob_fake=tuple(float(row["prob_fake"]) for row in rows),
        )
        for track, rows in sorted(by_track.items())
    )


def calibration_of(bundle: Bundle, score: Mapping[str, Any]) -> tuple[Calibration, Thresholds]:
    """Return calibration and thresholds for the kind of file that was scored."""
    own = bundle.spec.judgement_of(Kind(score.get("kind") or Kind.VIDEO))
    return own.calibration, own.thresholds


def _thresholds_of(
    score: Mapping[str, Any], *, bundle: Bundle
) -> tuple[float, float] | tuple[None, None]:
    """Return where `real` ends and `fake` begins, at the prior of the score's `prob_fake`."""
    if score.get("prob_fake") is None:
        return None, None
    prior = score.get("prior")
    own = bundle.spec.judgement_of(Kind(score.get("kind") or Kind.VIDEO))
    return own.thresholds_at(None if prior is None else float(prior))
