"""What the tables of shards and snapshots hold."""

from __future__ import annotations

import pyarrow as pa

__all__ = [
    "INDEX_SCHEMA",
    "MEDIA_FIELDS",
    "OUTCOMES_SCHEMA",
    "OUTCOME_FIELDS",
    "PART_OUTCOMES_SCHEMA",
    "SHARD_SCHEMA",
]

_CROP_FIELDS = [
    pa.field("crop_id", pa.string()),
    pa.field("media_id", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("pts_seconds", pa.float64()),
    pa.field("frame_index", pa.int64()),
    pa.field("track_id", pa.int32()),
    pa.field("bbox_xyxy", pa.list_(pa.float32(), 4)),
    pa.field("landmarks", pa.list_(pa.float32(), 10)),
    pa.field("confidence", pa.float32()),
    pa.field("face_px", pa.float32()),
    pa.field("sharpness", pa.float32()),
    pa.field("brightness", pa.float32()),
    pa.field("frame_width", pa.int32()),
    pa.field("frame_height", pa.int32()),
]

MEDIA_FIELDS = [
    pa.field("uri", pa.string()),
    pa.field("corpus", pa.string()),
    pa.field("label", pa.string()),
    pa.field("method", pa.string()),
    pa.field("identity", pa.string()),
    pa.field("compression", pa.string()),
    pa.field("group", pa.string()),
    pa.field("split", pa.string()),
]

SHARD_SCHEMA = pa.schema(
    [*_CROP_FIELDS, pa.field("encoded", pa.binary())],
    metadata={"schema": "deepfake.shard", "schema_version": "1"},
)

INDEX_SCHEMA = pa.schema(
    [
        *_CROP_FIELDS,
        *MEDIA_FIELDS,
        pa.field("shard", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("shard_sha256", pa.string()),
    ],
    metadata={"schema": "deepfake.index", "schema_version": "1"},
)

OUTCOME_FIELDS = [
    pa.field("status", pa.string()),
    pa.field("error_type", pa.string()),
    pa.field("message", pa.string()),
    pa.field("is_partial", pa.bool_()),
    pa.field("frames_wanted", pa.int32()),
    pa.field("frames_read", pa.int32()),
    pa.field("num_faces", pa.int32()),
    pa.field("seconds", pa.float64()),
    pa.field("kind", pa.string()),
    pa.field("codec", pa.string()),
    pa.field("container", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("rotation", pa.int32()),
    pa.field("fps", pa.float64()),
    pa.field("num_frames", pa.int64()),
    pa.field("duration_seconds", pa.float64()),
    pa.field("has_audio", pa.bool_()),
]

PART_OUTCOMES_SCHEMA = pa.schema(
    [pa.field("media_id", pa.string()), pa.field("uri", pa.string()), *OUTCOME_FIELDS],
    metadata={"schema": "deepfake.part_outcomes", "schema_version": "1"},
)

OUTCOMES_SCHEMA = pa.schema(
    [
        pa.field("media_id", pa.string()),
        pa.field("size_bytes", pa.int64()),
        *MEDIA_FIELDS,
        pa.field("original", pa.string()),
        *OUTCOME_FIELDS,
    ],
    metadata={"schema": "deepfake.outcomes", "schema_version": "2"},
)
