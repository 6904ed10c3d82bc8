"""Finished batches: an Arrow file of crops, and what became of each medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from deepfake.errors import DataError
from deepfake.shards.schemas import (
    PART_OUTCOMES_SCHEMA,
    SHARD_SCHEMA,
)
from deepfake.storage import (
    atomic_path,
    read_table,
    sha256_of,
    write_table,
)
from deepfake.types import FaceCrop, Outcome

__all__ = [
    "Part",
    "crop_records",
    "list_parts",
    "part_outcomes",
    "parts_folder",
    "read_part",
    "write_part",
]


@dataclass(frozen=True, slots=True)
class Part:
    """One finished batch.

    Attributes:
        key: Digest of the configuration and of the media, 16 hex digits.
        shard_sha256: Of the Arrow file.
        media_ids: The media that it covers, in the order of their crops.
        num_crops: Crops in the Arrow file.
    """

    key: str
    shard_sha256: str
    media_ids: tuple[str, ...]
    num_crops: int


def crop_records(
    media_id: str, kind: str, crops: Sequence[FaceCrop], *, frame_wh: tuple[int, int]
) -> list[dict[str, Any]]:
    """Return the shard's records of one medium's crops.

    Args:
        media_id: SHA-256 of the medium.
        kind: `image` or `video`.
        crops: Its crops, ascending in time and track.
        frame_wh: Width and height of its frames, pixels.
    """
    return [
        {
            "crop_id": f"{media_id[:16]}-{crop.frame_index:06d}-{crop.track_id:03d}",
            "media_id": media_id,
            "kind": kind,
            "pts_seconds": crop.pts_seconds,
            "frame_index": crop.frame_index,
            "track_id": crop.track_id,
            "bbox_xyxy": list(crop.face.bbox_xyxy),
            "landmarks": [value for point in crop.face.landmarks for value in point],
            "confidence": crop.face.confidence,
            "face_px": crop.face.size_px,
            "sharpness": crop.sharpness,
            "brightness": crop.brightness,
            "frame_width": frame_wh[0],
            "frame_height": frame_wh[1],
            "encoded": crop.encoded,
        }
        for crop in crops
    ]


def parts_folder(corpus_dir: Path) -> Path:
    """Return where the parts of a corpus lie."""
    return corpus_dir / "parts"


def write_part(
    corpus_dir: Path, *, key: str, records: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]
) -> Part:
    """Write what became of the media of one batch, then their crops.

    Args:
        corpus_dir: The folder of the corpus's shards.
        key: Digest of the configuration and of the media.
        records: From `crop_records`, in the order of the media.
        outcomes: One a medium, each with a media_id.
    """
    shard = parts_folder(corpus_dir) / f"{key}.arrow"
    table = pa.Table.from_pylist([dict(r) for r in records], schema=SHARD_SCHEMA)
    rows = [_outcome_record(outcome) for outcome in outcomes]
    with atomic_path(shard) as part:
        _write_arrow(part, table.combine_chunks())
        digest = sha256_of(part)
        schema = PART_OUTCOMES_SCHEMA.with_metadata(
            {**(PART_OUTCOMES_SCHEMA.metadata or {}), b"shard_sha256": digest.encode()}
        )
        # Before the shard gets its name: what bears that name is finished.
        write_table(
            parts_folder(corpus_dir) / f"{key}.outcomes.parquet",
            pa.Table.from_pylist(rows, schema=schema),
        )
    media_ids = tuple(str(outcome.media_id) for outcome in outcomes)
    return Part(key=key, shard_sha256=digest, media_ids=media_ids, num_crops=len(table))


def _write_arrow(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _outcome_record(outcome: Outcome) -> dict[str, Any]:
    own = {f.name: getattr(outcome, f.name) for f in fields(Outcome) if f.name != "details"}
    return {**own, "status": str(outcome.status), **outcome.details}


def read_part(corpus_dir: Path, key: str) -> Part | None:
    """Return a part if it is finished and undamaged, else None.

    The Arrow file is read once to compare its SHA-256 with the one noted when it was written.
    """
    folder = parts_folder(corpus_dir)
    shard, outcomes = folder / f"{key}.arrow", folder / f"{key}.outcomes.parquet"
    if not (shard.is_file() and outcomes.is_file()):
        return None
    try:
        table = read_table(outcomes, schema=PART_OUTCOMES_SCHEMA)
    except DataError:
        return None
    noted = (table.schema.metadata or {}).get(b"shard_sha256", b"").decode("ascii", "replace")
    if sha256_of(shard) != noted:
        return None
    crops = sum(value or 0 for value in table["num_faces"].to_pylist())
    return Part(
        key=key,
        shard_sha256=noted,
        media_ids=tuple(table["media_id"].to_pylist()),
        num_crops=crops,
    )


def list_parts(corpus_dir: Path) -> dict[str, tuple[str, ...]]:
    """Return the media of every part that was ever finished, by key, whether its shard is left.

    This is what lets a lost shard be rebuilt with the neighbours that it had.
    """
    found = {}
    for path in sorted(parts_folder(corpus_dir).glob("*.outcomes.parquet")):
        try:
            table = read_table(path, schema=PART_OUTCOMES_SCHEMA)
        except DataError:
            continue
        found[path.name.split(".")[0]] = tuple(table["media_id"].to_pylist())
    return found


def part_outcomes(corpus_dir: Path, key: str) -> list[dict[str, Any]]:
    """Return the outcome rows of a finished part."""
    path = parts_folder(corpus_dir) / f"{key}.outcomes.parquet"
    rows: list[dict[str, Any]] = read_table(path, schema=PART_OUTCOMES_SCHEMA).to_pylist()
    return rows
