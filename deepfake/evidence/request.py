"""A request for evidence: a score and its faces, read from the tables of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake.config import digest_of

__all__ = [
    "BLOCK_COLUMNS",
    "FRAME_COLUMNS",
    "SCORE_COLUMNS",
    "WINDOW_COLUMNS",
    "EvidenceRequest",
    "create_request",
    "has_score",
]

_STEP_VERSION = "1"
"""Increased whenever other evidence would be made for the same score."""

SCORE_COLUMNS = (
    "uri",
    "media_id",
    "kind",
    "status",
    "prob_fake",
    "logit",
    "prior",
    "strongest_track_id",
    "model_digest",
    "config_digest",
    "prob_fake_voice",
    "logit_voice",
    "voice_model_digest",
    "prob_mismatch",
    "logit_sync",
    "sync_model_digest",
    "offset_sync_seconds",
    "is_out_of_sync",
    "speaking_track_id",
    "strongest_sync_pts_seconds",
)
"""Columns of `scores.parquet` that evidence is made from; tables of earlier versions lack those
from `prob_fake_voice` on."""

FRAME_COLUMNS = (
    "uri",
    "track_id",
    "frame_index",
    "pts_seconds",
    "bbox_xyxy",
    "confidence",
    "logit",
    "prob_fake",
    "turned_degrees",
)
"""Columns of `frames.parquet` that evidence is made from."""

WINDOW_COLUMNS = ("uri", "pts_seconds", "end_seconds", "logit", "prob_fake")
"""Columns of `windows.parquet` that evidence is made from."""

BLOCK_COLUMNS = (
    "uri",
    "track_id",
    "pts_seconds",
    "end_seconds",
    "offset_seconds",
    "prob_mismatch",
)
"""Columns of `blocks.parquet` that evidence is made from."""

_PROBABILITIES = ("prob_fake", "prob_fake_voice", "prob_mismatch")


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """A score for which evidence is to be made.

    Attributes:
        uri: The file.
        media_id: Digest of the bytes that were scored.
        made_for: Digest of the score and of what makes its evidence.
        score: `SCORE_COLUMNS` of its row.
        frames: `FRAME_COLUMNS` of the rows of its faces, without `uri`.
        windows: `WINDOW_COLUMNS` of the rows of its windows of speech, without `uri`.
        blocks: `BLOCK_COLUMNS` of the rows of its lips and sound, without `uri`.
    """

    uri: str
    media_id: str
    made_for: str
    score: Mapping[str, Any]
    frames: tuple[Mapping[str, Any], ...]
    windows: tuple[Mapping[str, Any], ...] = ()
    blocks: tuple[Mapping[str, Any], ...] = ()


def create_request(
    score: Mapping[str, Any],
    frames: Sequence[Mapping[str, Any]],
    windows: Sequence[Mapping[str, Any]] = (),
    blocks: Sequence[Mapping[str, Any]] = (),
) -> EvidenceRequest:
    """Return the request for the evidence of a score.

    Args:
        score: A row of `scores.parquet` with a score of any kind.
        frames: The rows of its faces in `frames.parquet`.
        windows: The rows of its speech in `windows.parquet`.
        blocks: The rows of its lips and sound in `blocks.parquet`.
    """
    own = {name: score.get(name) for name in SCORE_COLUMNS}
    made_for = digest_of(
        "evidence",
        _STEP_VERSION,
        *(str(own[n]) for n in ("model_digest", "config_digest", "logit", "prob_fake", "prior")),
        # Nothing is added without a voice, so that evidence of faces alone stays.
        *([] if own["prob_fake_voice"] is None else _voice_of(own)),
        *([] if own["prob_mismatch"] is None else _sync_of(own)),
    )
    # Tables written by earlier versions lack the last column.
    faces = tuple({n: row.get(n) for n in FRAME_COLUMNS if n != "uri"} for row in frames)
    speech = tuple({n: row[n] for n in WINDOW_COLUMNS if n != "uri"} for row in windows)
    uri, media_id = str(score["uri"]), str(score["media_id"])
    lips = tuple({n: row[n] for n in BLOCK_COLUMNS if n != "uri"} for row in blocks)
    return EvidenceRequest(uri, media_id, made_for, own, faces, speech, lips)


def has_score(score: Mapping[str, Any]) -> bool:
    """Return whether a row of `scores.parquet` has a score of its faces, its voice or its lips.

    Example:
        >>> has_score({"prob_fake": None, "prob_fake_voice": 0.1}), has_score({"prob_fake": None})
        (True, False)
    """
    return any(score.get(name) is not None for name in _PROBABILITIES)


def _voice_of(score: Mapping[str, Any]) -> list[str]:
    return [str(score[n]) for n in ("voice_model_digest", "logit_voice", "prob_fake_voice")]


def _sync_of(score: Mapping[str, Any]) -> list[str]:
    return ["sync", *(str(score[n]) for n in ("sync_model_digest", "logit_sync", "prob_mismatch"))]
