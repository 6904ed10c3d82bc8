"""The tables that scoring writes, and rows of files that have no score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import pyarrow as pa

from deepfake.detectors.bundles import Bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.types import Outcome, Verdict

__all__ = [
    "FRAMES_SCHEMA",
    "SCORES_SCHEMA",
    "TABLES",
    "TRACKS_SCHEMA",
    "blank_score",
    "count_statuses",
    "model_columns",
]

SCORES_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("media_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("status", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("prob_fake", pa.float64()),
        pa.field("logit", pa.float64()),
        pa.field("num_faces", pa.int32()),
        pa.field("num_tracks", pa.int32()),
        pa.field("num_frames", pa.int32()),
        pa.field("strongest_track_id", pa.int32()),
        pa.field("strongest_pts_seconds", pa.float64()),
        pa.field("is_partial", pa.bool_()),
        pa.field("frames_wanted", pa.int32()),
        pa.field("frames_read", pa.int32()),
        pa.field("error_type", pa.string()),
        pa.field("message", pa.string()),
        pa.field("model_name", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("model_digest", pa.string()),
        pa.field("config_digest", pa.string()),
        pa.field("prior", pa.float64()),
        pa.field("seconds", pa.float64()),
    ],
    metadata={"schema": "deepfake.scores", "schema_version": "1"},
)

TRACKS_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("media_id", pa.string()),
        pa.field("track_id", pa.int32()),
        pa.field("logit", pa.float64()),
        pa.field("prob_fake", pa.float64()),
        pa.field("num_frames", pa.int32()),
        pa.field("first_pts_seconds", pa.float64()),
        pa.field("last_pts_seconds", pa.float64()),
        pa.field("max_logit", pa.float64()),
        pa.field("face_px", pa.float64()),
        pa.field("sharpness", pa.float64()),
        pa.field("novelty", pa.float64()),
    ],
    metadata={"schema": "deepfake.tracks", "schema_version": "2"},
)

FRAMES_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("media_id", pa.string()),
        pa.field("track_id", pa.int32()),
        pa.field("frame_index", pa.int64()),
        pa.field("pts_seconds", pa.float64()),
        pa.field("logit", pa.float64()),
        pa.field("prob_fake", pa.float64()),
        pa.field("bbox_xyxy", pa.list_(pa.float32(), 4)),
        pa.field("confidence", pa.float32()),
        pa.field("face_px", pa.float32()),
        pa.field("sharpness", pa.float32()),
        pa.field("logit_blended", pa.float32()),
        pa.field("logit_generated", pa.float32()),
        pa.field("novelty", pa.float32()),
    ],
    metadata={"schema": "deepfake.frames", "schema_version": "2"},
)

TABLES = {"scores": SCORES_SCHEMA, "tracks": TRACKS_SCHEMA, "frames": FRAMES_SCHEMA}


def model_columns(
    identity: DetectorIdentity, bundle: Bundle, config_digest: str
) -> dict[str, str | None]:
    """Return the columns that name the detector in a row."""
    return {
        "model_name": identity.name,
        "model_version": identity.version,
        "model_digest": bundle.digest,
        "config_digest": config_digest,
    }


def blank_score(outcome: Outcome) -> dict[str, Any]:
    """Return the columns of a file without a score: no number stands for "don't know"."""
    own = {f.name: getattr(outcome, f.name) for f in fields(Outcome) if f.name != "details"}
    row: dict[str, Any] = dict.fromkeys(SCORES_SCHEMA.names)
    row.update(own)
    row["status"] = str(outcome.status)
    row["kind"] = outcome.details.get("kind")
    row["verdict"] = str(Verdict.NOT_APPLICABLE)
    row["reason"] = outcome.message or str(outcome.status)
    return row


def count_statuses(scores: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many rows stand in each status."""
    counts: dict[str, int] = {}
    for row in scores:
        counts[str(row["status"])] = counts.get(str(row["status"]), 0) + 1
    return counts
