"""The tables that scoring writes, and rows of files that have no score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa

from deepfake.detectors.bundles import Bundle, DetectorSpec
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import DataError
from deepfake.types import Outcome, Verdict

__all__ = [
    "FRAMES_SCHEMA",
    "SCORES_SCHEMA",
    "TABLES",
    "TRACKS_SCHEMA",
    "blank_score",
    "count_statuses",
    "is_head_column",
    "model_columns",
    "table_of",
    "table_schemas",
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
"""What every table holds, whatever the detector; frames have `logit_blended` and `logit_generated`
also where they stay empty."""

_HEAD_COLUMN = re.compile(r"logit_[a-z][a-z0-9_]*")


def table_schemas(spec: DetectorSpec) -> dict[str, pa.Schema]:
    """Return the tables of a detector: `TABLES`, and a column of frames for each further output."""
    further = [name for name in spec.outputs if name not in FRAMES_SCHEMA.names]
    frames = [*FRAMES_SCHEMA, *(pa.field(name, pa.float32()) for name in further)]
    return {**TABLES, "frames": pa.schema(frames, metadata=FRAMES_SCHEMA.metadata)}


def is_head_column(field: pa.Field) -> bool:
    """Return whether a column of a frames table holds the logit of a head."""
    return bool(_HEAD_COLUMN.fullmatch(field.name)) and field.type == pa.float32()


def table_of(rows: Sequence[Mapping[str, Any]], *, schema: pa.Schema) -> pa.Table:
    """Return rows as a table; a column that a row lacks is null.

    Raises:
        DataError: A row has a column that the schema does not know.
    """
    unknown = {name for row in rows for name in row}.difference(schema.names)
    if unknown:
        table = schema.metadata[b"schema"].decode()
        raise DataError(f"{table} has no column for {', '.join(sorted(unknown))}")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


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
