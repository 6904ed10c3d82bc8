"""Reports for tests, of made-up scores and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepfake.evidence import (
    CropEvidence,
    Evidence,
    EvidenceRecord,
    FaceBox,
    FrameEvidence,
    TrackTimeline,
    VoiceEvidence,
    VoiceWindow,
)
from deepfake.evidence.provenance import Credentials, describe_provenance
from deepfake.media import encode_shown
from deepfake.views.report import Report, create_report
from tests.sample_data import face_close_up

__all__ = ["SCRIPT_NAME", "evidence", "report", "score", "voice_evidence", "voice_score"]

SCRIPT_NAME = "/media/</script><script>alert(1)</script><img src=x onerror=alert(2)>.mp4"
"""A file name that must be text."""

_VERDICTS = ((0.65, "fake"), (0.35, "uncertain"), (0.0, "real"))


def score(number: int, **more: Any) -> dict[str, Any]:
    """Return a row of the scores table; each number another probability."""
    prob = (number * 7919 % 1000) / 1000
    verdict = next(name for least, name in _VERDICTS if prob >= least)
    row = {
        "uri": f"/media/folder-{number % 50}/clip-{number}.mp4",
        "media_id": f"{number:064x}",
        "kind": "video",
        "status": "ok",
        "verdict": verdict,
        "reason": None,
        "prob_fake": prob,
        "num_faces": number % 32,
        "num_frames": 32,
        "strongest_pts_seconds": 1.5,
    }
    return {**row, **more}


def evidence(number: int, *, software: str = "Editor") -> Evidence:
    """Return evidence for the row of that number."""
    crop = CropEvidence(
        picture="crop-0.jpg",
        heat_picture="heat-0.jpg",
        track_id=0,
        frame_index=3,
        pts_seconds=1.5,
        prob_fake=0.9,
        moved_by_hottest=2.0,
        moved_by_random=0.5,
    )
    face = FaceBox(track_id=0, box_xyxy=(0.1, 0.1, 0.9, 0.9), prob_fake=0.9)
    track = TrackTimeline(
        track_id=0, is_strongest=True, pts_seconds=(0.0, 1.5), prob_fake=(0.4, 0.9)
    )
    record = EvidenceRecord(
        media_id=f"{number:064x}",
        made_for="x",
        kind="video",
        real_below=0.35,
        fake_from=0.65,
        tracks=(track,),
        frames=(
            FrameEvidence(picture="frame-0.jpg", frame_index=3, pts_seconds=1.5, faces=(face,)),
        ),
        crops=(crop,),
        provenance=describe_provenance(Credentials(state="none"), tags={"software": software}),
    )
    picture = encode_shown(face_close_up(64))
    return Evidence(record, dict.fromkeys(("frame-0.jpg", "crop-0.jpg", "heat-0.jpg"), picture))


def voice_score(number: int, **more: Any) -> dict[str, Any]:
    """Return a row of a sound file whose voice was called fake."""
    nothing = dict.fromkeys(("prob_fake", "num_faces", "num_frames", "strongest_pts_seconds"))
    voice = {"verdict_voice": "fake", "prob_fake_voice": 0.875, "reason_voice": "sounds made"}
    row = {"uri": f"/media/call-{number}.wav", "kind": "audio", "status": "no_picture"}
    judged = {"verdict": "not_applicable", **voice}
    return score(number, **{**nothing, **row, **judged, **more})


def voice_evidence(number: int) -> Evidence:
    """Return evidence for such a row: two windows in eight seconds of sound."""
    windows = (
        VoiceWindow(pts_seconds=0.5, end_seconds=4.0, prob_fake=0.25),
        VoiceWindow(pts_seconds=4.0, end_seconds=7.5, prob_fake=0.95, is_strongest=True),
    )
    voice = VoiceEvidence(
        windows=windows,
        real_below=0.35,
        fake_from=0.65,
        duration_seconds=8.0,
        waveform=tuple((-(number % 127), number % 127) for number in range(200)),
    )
    record = EvidenceRecord(media_id=f"{number:064x}", made_for="x", kind="audio", voice=voice)
    return Evidence(record, {})


def report(scores: Sequence[dict[str, Any]], *, evidence: Sequence[Evidence] = ()) -> Report:
    """Return a report of rows."""
    chosen = {"is_fitted": True, "max_false_alarm": 0.05, "num_real": 242}
    return create_report(
        scores,
        detector="tried, digest 0123456789abcdef",
        notes=["It learnt <b>nothing</b>."],
        reading={
            "thresholds": {
                "still": {"real_below": 0.35, "fake_from": 0.65, **chosen},
                "video": {"real_below": 0.35, "fake_from": 1.5},
            },
            "notes": [],
        },
        evidence=evidence,
    )
