"""A request for evidence: a score and its faces, read from the tables of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake.config import digest_of

__all__ = ["FRAME_COLUMNS", "SCORE_COLUMNS", "EvidenceRequest", "create_request"]

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
)
"""Columns of `scores.parquet` that evidence is made from."""

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


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """A score for which evidence is to be made.

    Attributes:
        uri: The file.
        media_id: Digest of the bytes that were scored.
        made_for: Digest of the score and of what makes its evidence.
        score: `SCORE_COLUMNS` of its row.
        frames: `FRAME_COLUMNS` of the rows of its faces, without `uri`.
    """

    uri: str
    media_id: str
    made_for: str
    score: Mapping[str, Any]
    frames: tuple[Mapping[str, Any], ...]


def create_request(
    score: Mapping[str, Any], frames: Sequence[Mapping[str, Any]]
) -> EvidenceRequest:
    """Return the request for the evidence of a score.

    Args:
        score: A row of `scores.parquet` with status `ok`.
        frames: The rows of its faces in `frames.parquet`.
    """
    own = {name: score[name] for name in SCORE_COLUMNS}
    made_for = digest_of(
        "evidence",
        _STEP_VERSION,
        *(str(own[n]) for n in ("model_digest", "config_digest", "logit", "prob_fake", "prior")),
    )
    # Tables written by earlier versions lack the last column.
    faces = tuple({n: row.get(n) for n in FRAME_COLUMNS if n != "uri"} for row in frames)
    return EvidenceRequest(own["uri"], own["media_id"], made_for, own, faces)
