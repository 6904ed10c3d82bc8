"""The tables that scoring writes, and rows of files that have no score."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from deepfake.detectors.bundles import DetectorSpec
from deepfake.types import Kind, Score, Status, SyncVerdict, Verdict

__all__ = [
    "ALL_TABLES",
    "BLOCKS_SCHEMA",
    "FRAMES_SCHEMA",
    "LATER_COLUMNS",
    "SCORES_SCHEMA",
    "TABLES",
    "TRACKS_SCHEMA",
    "WINDOWS_SCHEMA",
    "is_head_column",
    "table_schemas",
]

_ARROW_TYPES = {
    bool: pa.bool_(),
    int: pa.int32(),
    float: pa.float64(),
    str: pa.string(),
    Kind: pa.string(),
    Status: pa.string(),
    SyncVerdict: pa.string(),
    Verdict: pa.string(),
}


def _arrow_type(hint: Any) -> pa.DataType:
    """Return the Arrow type of a field that is of one type, or of one type or None."""
    (own,) = (kind for kind in get_args(hint) or (hint,) if kind is not type(None))
    return _ARROW_TYPES[own]


SCORES_SCHEMA = pa.schema(
    [pa.field(name, _arrow_type(hint)) for name, hint in get_type_hints(Score).items()],
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
        pa.field("colour", pa.float64()),
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
        pa.field("turned_degrees", pa.int32()),
        pa.field("colour", pa.float32()),
    ],
    metadata={"schema": "deepfake.frames", "schema_version": "2"},
)

WINDOWS_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("media_id", pa.string()),
        pa.field("pts_seconds", pa.float64()),
        pa.field("end_seconds", pa.float64()),
        pa.field("speech_seconds", pa.float64()),
        pa.field("logit", pa.float64()),
        pa.field("prob_fake", pa.float64()),
        pa.field("novelty", pa.float32()),
        pa.field("loudness_dbfs", pa.float32()),
        pa.field("bandwidth_hz", pa.float32()),
    ],
    metadata={"schema": "deepfake.windows", "schema_version": "1"},
)

BLOCKS_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("media_id", pa.string()),
        pa.field("run_index", pa.int32()),
        pa.field("track_id", pa.int32()),
        pa.field("pts_seconds", pa.float64()),
        pa.field("end_seconds", pa.float64()),
        pa.field("similarity", pa.float32()),
        pa.field("offset_seconds", pa.float32()),
        pa.field("prob_mismatch", pa.float64()),
    ],
    metadata={"schema": "deepfake.blocks", "schema_version": "1"},
)

TABLES = {"scores": SCORES_SCHEMA, "tracks": TRACKS_SCHEMA, "frames": FRAMES_SCHEMA}
"""What every table holds, whatever the detector; frames have `logit_blended` and `logit_generated`
also where they stay empty."""

ALL_TABLES = {**TABLES, "windows": WINDOWS_SCHEMA, "blocks": BLOCKS_SCHEMA}
"""With the windows of speech, a table that is there where voices were judged, and the blocks, one
that is there where lips were compared with sound."""

LATER_COLUMNS: Mapping[str, frozenset[str]] = {
    "scores": frozenset(
        {
            "likelihood_ratio",
            "likelihood_ratio_min",
            "likelihood_ratio_max",
            "turned_degrees",
            "verdict_voice",
            "reason_voice",
            "prob_fake_voice",
            "logit_voice",
            "likelihood_ratio_voice",
            "likelihood_ratio_voice_min",
            "likelihood_ratio_voice_max",
            "novelty_voice",
            "speech_seconds",
            "num_windows",
            "strongest_voice_pts_seconds",
            "strongest_voice_end_seconds",
            "voice_model_name",
            "voice_model_version",
            "voice_model_digest",
            "verdict_sync",
            "reason_sync",
            "prob_mismatch",
            "logit_sync",
            "likelihood_ratio_sync",
            "likelihood_ratio_sync_min",
            "likelihood_ratio_sync_max",
            "offset_sync_seconds",
            "is_out_of_sync",
            "num_runs",
            "speaking_track_id",
            "strongest_sync_pts_seconds",
            "strongest_sync_end_seconds",
            "sync_model_name",
            "sync_model_version",
            "sync_model_digest",
            "verdict_file",
            "reason_file",
            "prob_fake_file",
            "likelihood_ratio_file",
        }
    ),
    "tracks": frozenset({"colour"}),
    "frames": frozenset({"turned_degrees", "colour"}),
    "windows": frozenset(),
    "blocks": frozenset(),
}
"""Columns that tables written by earlier versions lack; they are read as null."""

_HEAD_COLUMN = re.compile(r"logit_[a-z][a-z0-9_]*")


def table_schemas(
    spec: DetectorSpec, *, has_voice: bool = False, has_sync: bool = False
) -> dict[str, pa.Schema]:
    """Return the tables of a detector: `TABLES`, and a column of frames for each further output.

    Args:
        spec: The detector of faces.
        has_voice: Whether voices are judged too, so that there is a table of windows of speech.
        has_sync: Whether lips are compared with sound, so that there is a table of blocks.
    """
    further = [name for name in spec.outputs if name not in FRAMES_SCHEMA.names]
    frames = [*FRAMES_SCHEMA, *(pa.field(name, pa.float32()) for name in further)]
    left_out = {*(() if has_voice else ("windows",)), *(() if has_sync else ("blocks",))}
    tables = {name: schema for name, schema in ALL_TABLES.items() if name not in left_out}
    return {**tables, "frames": pa.schema(frames, metadata=FRAMES_SCHEMA.metadata)}


def is_head_column(field: pa.Field) -> bool:
    """Return whether a column of a frames table holds the logit of a head."""
    return bool(_HEAD_COLUMN.fullmatch(field.name)) and field.type == pa.float32()
