"""Schemas of the tables of shards and snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from deepfake.errors import ShardError

__all__ = [
    "FACES",
    "FAKE_INTERVALS",
    "INDEX_SCHEMA",
    "LATER_OUTCOME_COLUMNS",
    "MEDIA_FIELDS",
    "OUTCOMES_SCHEMA",
    "OUTCOME_FIELDS",
    "RECORD_SCHEMAS",
    "SHARD_OUTCOMES_SCHEMA",
    "SYNC",
    "VOICE",
    "RecordSchemas",
    "kind_of_shard",
    "record_schemas",
]

FACES = "faces"
"""The kind of evidence that shards hold where nothing else is said."""

VOICE = "voice"
"""Windows of speech."""

SYNC = "sync"
"""Runs of mouths with the sound beside them."""

_COMMON_FIELDS = [
    pa.field("crop_id", pa.string()),
    pa.field("media_id", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("pts_seconds", pa.float64()),
]

_FACE_FIELDS = [
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

_WINDOW_FIELDS = [
    pa.field("window_index", pa.int32()),
    pa.field("end_seconds", pa.float64()),
    pa.field("speech_seconds", pa.float32()),
    pa.field("loudness_dbfs", pa.float32()),
    pa.field("bandwidth_hz", pa.float32()),
]

_RUN_FIELDS = [
    pa.field("run_index", pa.int32()),
    pa.field("track_id", pa.int32()),
    pa.field("end_seconds", pa.float64()),
    pa.field("num_mouths", pa.int32()),
    pa.field("sound_span", pa.list_(pa.int32(), 2)),
    pa.field("face_px", pa.float32()),
    pa.field("speech_seconds", pa.float32()),
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


@dataclass(frozen=True, slots=True)
class RecordSchemas:
    """How the records of one kind of evidence are stored.

    Attributes:
        shard: Of a shard: the record's own columns and its bytes, `encoded`.
        index: Of a snapshot's index: the same without the bytes, and where they lie.
        order: Columns that sort the records of a file.
    """

    shard: pa.Schema
    index: pa.Schema
    order: tuple[str, ...]


def record_schemas(
    fields: Sequence[pa.Field], *, order: tuple[str, ...], suffix: str = ""
) -> RecordSchemas:
    """Return the schemas of a kind of evidence.

    Args:
        fields: Columns beside those that every kind has.
        order: Columns that sort the records of a file.
        suffix: Behind the schemas' names, `.voice`; by it a file's kind is known.
    """
    own = [*_COMMON_FIELDS, *fields]
    places = [
        pa.field("shard", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("shard_sha256", pa.string()),
    ]
    return RecordSchemas(
        shard=pa.schema(
            [*own, pa.field("encoded", pa.binary())],
            metadata={"schema": f"deepfake.shard{suffix}", "schema_version": "1"},
        ),
        index=pa.schema(
            [*own, *MEDIA_FIELDS, *places],
            metadata={"schema": f"deepfake.index{suffix}", "schema_version": "1"},
        ),
        order=order,
    )


RECORD_SCHEMAS = {
    FACES: record_schemas(_FACE_FIELDS, order=("frame_index", "track_id")),
    VOICE: record_schemas(_WINDOW_FIELDS, order=("window_index",), suffix=".voice"),
    SYNC: record_schemas(_RUN_FIELDS, order=("run_index", "track_id"), suffix=".sync"),
}
"""By kind of evidence; runs of crops are a further entry."""

INDEX_SCHEMA = RECORD_SCHEMAS[FACES].index


def kind_of_shard(schema: pa.Schema) -> str:
    """Return the kind of evidence that a shard of this schema holds.

    Raises:
        ShardError: It is no schema of a shard of this version.
    """
    for kind, known in RECORD_SCHEMAS.items():
        if schema.equals(known.shard, check_metadata=True):
            return kind
    raise ShardError("not a shard of this version")


FAKE_INTERVALS = pa.field(
    "fake_intervals",
    pa.list_(pa.struct([("begin_seconds", pa.float64()), ("end_seconds", pa.float64())])),
)
"""When in a file it was changed, where its corpus says so."""

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
    pa.field("num_windows", pa.int32()),
    pa.field("speech_seconds", pa.float64()),
    pa.field("sound_codec", pa.string()),
    pa.field("sample_rate", pa.int32()),
]

LATER_OUTCOME_COLUMNS = frozenset(
    {"num_windows", "speech_seconds", "sound_codec", "sample_rate", "fake_intervals"}
)
"""Columns that outcomes written by earlier versions lack; they are read as null."""

SHARD_OUTCOMES_SCHEMA = pa.schema(
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
        FAKE_INTERVALS,
    ],
    metadata={"schema": "deepfake.outcomes", "schema_version": "2"},
)
