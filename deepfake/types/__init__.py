"""Frozen dataclasses and enums that the stages exchange.

`MediaInfo -> Frame -> Face -> FaceTrack -> FaceCrop -> Score`, and `StoredWindow` and `StoredRun`
beside `FaceCrop` for speech and for lips with their sound, each frozen and validated once.
"""

from __future__ import annotations

from deepfake.types.faces import Face, FaceCrop, FaceTrack
from deepfake.types.lips import MouthRun, StoredRun
from deepfake.types.media import PICTURE_KINDS, FloatArray, Frame, Kind, MediaInfo, Pixels
from deepfake.types.outcome import (
    EXPECTED_STATUSES,
    TRANSIENT_STATUSES,
    Label,
    Outcome,
    Split,
    Status,
)
from deepfake.types.score import Score, SyncVerdict, Verdict
from deepfake.types.sound import NO_SOUND, StoredWindow

__all__ = [
    "EXPECTED_STATUSES",
    "NO_SOUND",
    "PICTURE_KINDS",
    "TRANSIENT_STATUSES",
    "Face",
    "FaceCrop",
    "FaceTrack",
    "FloatArray",
    "Frame",
    "Kind",
    "Label",
    "MediaInfo",
    "MouthRun",
    "Outcome",
    "Pixels",
    "Score",
    "Split",
    "Status",
    "StoredRun",
    "StoredWindow",
    "SyncVerdict",
    "Verdict",
]
