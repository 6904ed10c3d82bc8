"""Finished batches: an Arrow file of crops, and what became of each medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.corpora.shards.schemas import PART_OUTCOMES_SCHEMA, SHARD_SCHEMA
from deepfake.errors import DataError, ShardError
from deepfake.storage import (
    Location,
    StorePath,
    atomic_path,
    copy_here,
    read_locally,
    read_table,
    sha256_of,
    side_by_side,
    write_table,
)
from deepfake.types import FaceCrop, Outcome

__all__ = [
    "Part",
    "crop_records",
    "crop_rows",
    "list_parts",
    "noted_digest",
    "part_outcomes",
    "parts_folder",
    "read_part",
    "remove_part",
    "rewrite_part",
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


def parts_folder(corpus_dir: Location) -> Location:
    """Return where the parts of a corpus lie."""
    return corpus_dir / "parts"


def write_part(
    corpus_dir: Location,
    *,
    key: str,
    records: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Outcome],
) -> Part:
    """Write the crops of one batch, and what became of its media.

    Args:
        corpus_dir: The folder of the corpus's shards.
        key: Digest of the configuration and of the media.
        records: From `crop_records`, in the order of the media.
        outcomes: One a medium, each with a media_id.
    """
    crops = pa.Table.from_pylist([dict(r) for r in records], schema=SHARD_SCHEMA)
    rows = [_outcome_record(outcome) for outcome in outcomes]
    return _write(corpus_dir, key, crops, pa.Table.from_pylist(rows, schema=PART_OUTCOMES_SCHEMA))


def _write(corpus_dir: Location, key: str, crops: pa.Table, outcomes: pa.Table) -> Part:
    shard = parts_folder(corpus_dir) / f"{key}.arrow"
    with atomic_path(shard) as part:
        _write_arrow(part, crops.combine_chunks())
        digest = sha256_of(part)
        if isinstance(shard, Path):
            # Before the shard gets its name: what bears that name is finished.
            _write_outcomes(corpus_dir, key, outcomes, told={"shard_sha256": digest})
    if isinstance(shard, StorePath):
        # After it, since only then it has a tag to be known again by.
        told = {"shard_sha256": digest, "shard_tag": shard.stat().tag}
        _write_outcomes(corpus_dir, key, outcomes, told=told)
    media_ids = tuple(outcomes["media_id"].to_pylist())
    return Part(key=key, shard_sha256=digest, media_ids=media_ids, num_crops=len(crops))


def rewrite_part(corpus_dir: Location, key: str, *, without: Set[str], new_key: str) -> Part:
    """Write a finished part anew without some media; the old one stays.

    Args:
        corpus_dir: The folder of the corpus's shards.
        key: Of the part.
        without: The media.
        new_key: Of what is left. A whole part that has it already is taken as it is.

    Raises:
        ShardError: The part is missing or damaged.
    """
    found = read_part(corpus_dir, new_key)
    if found is not None:
        return found
    if read_part(corpus_dir, key) is None:
        raise ShardError(f"the part {key} is missing or damaged", path=corpus_dir)
    folder = parts_folder(corpus_dir)
    shard = folder / f"{key}.arrow"
    with copy_here(shard) as local, pa.memory_map(str(local)) as source:
        crops = _without(pa.ipc.open_file(source).read_all(), without)
        outcomes = read_table(folder / f"{key}.outcomes.parquet", schema=PART_OUTCOMES_SCHEMA)
        return _write(corpus_dir, new_key, crops, _without(outcomes, without))


def _without(table: pa.Table, media_ids: Set[str]) -> pa.Table:
    gone = pa.array(sorted(media_ids), pa.string())
    return table.filter(pc.invert(pc.is_in(table["media_id"], value_set=gone)))


def noted_digest(corpus_dir: Location, key: str) -> str | None:
    """Return the SHA-256 of a part's shard as noted when it was written, without reading it."""
    path = parts_folder(corpus_dir) / f"{key}.outcomes.parquet"
    try:
        noted = read_locally(path, pq.read_schema).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return noted.get(b"shard_sha256", b"").decode() or None


def crop_rows(corpus_dir: Location, key: str) -> dict[str, int]:
    """Return in which row of a part each crop lies, by crop_id."""
    shard = parts_folder(corpus_dir) / f"{key}.arrow"
    with copy_here(shard) as local, pa.memory_map(str(local)) as source:
        names = pa.ipc.open_file(source).read_all()["crop_id"].to_pylist()
    return {name: row for row, name in enumerate(names)}


def remove_part(corpus_dir: Location, key: str) -> None:
    """Remove a part; the crops first, whose name makes it finished."""
    for name in (f"{key}.arrow", f"{key}.outcomes.parquet"):
        (parts_folder(corpus_dir) / name).unlink(missing_ok=True)


def _write_outcomes(
    corpus_dir: Location, key: str, outcomes: pa.Table, *, told: Mapping[str, str]
) -> None:
    noted = {**PART_OUTCOMES_SCHEMA.metadata, **{k.encode(): v.encode() for k, v in told.items()}}
    write_table(_outcomes_path(corpus_dir, key), outcomes.replace_schema_metadata(noted))


def _outcomes_path(corpus_dir: Location, key: str) -> Location:
    return parts_folder(corpus_dir) / f"{key}.outcomes.parquet"


def _write_arrow(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _outcome_record(outcome: Outcome) -> dict[str, Any]:
    own = {f.name: getattr(outcome, f.name) for f in fields(Outcome) if f.name != "details"}
    return {**own, "status": str(outcome.status), **outcome.details}


def read_part(corpus_dir: Location, key: str) -> Part | None:
    """Return a part if it is finished and undamaged, else None.

    The Arrow file is read once to compare its SHA-256 with the one noted when it was written. In a
    store, where that would fetch all shards at each start, the tag that it gave is compared.
    """
    shard, outcomes = parts_folder(corpus_dir) / f"{key}.arrow", _outcomes_path(corpus_dir, key)
    if not (shard.is_file() and outcomes.is_file()):
        return None
    try:
        table = read_table(outcomes, schema=PART_OUTCOMES_SCHEMA)
    except DataError:
        return None
    told = table.schema.metadata or {}
    noted = told.get(b"shard_sha256", b"").decode("ascii", "replace")
    if isinstance(shard, StorePath):
        is_whole = shard.stat().tag == told.get(b"shard_tag", b"").decode("ascii", "replace")
    else:
        is_whole = sha256_of(shard) == noted
    if not is_whole:
        return None
    crops = sum(value or 0 for value in table["num_faces"].to_pylist())
    return Part(
        key=key,
        shard_sha256=noted,
        media_ids=tuple(table["media_id"].to_pylist()),
        num_crops=crops,
    )


def list_parts(corpus_dir: Location) -> dict[str, tuple[str, ...]]:
    """Return the media of every part that was ever finished, by key, whether its shard is left.

    This is what lets a lost shard be rebuilt with the neighbours that it had.
    """
    paths: list[Location] = sorted(parts_folder(corpus_dir).glob("*.outcomes.parquet"), key=str)
    is_near = isinstance(corpus_dir, Path)
    covered = map(_media_of, paths) if is_near else side_by_side(_media_of, paths)
    return {
        path.name.split(".")[0]: media_ids
        for path, media_ids in zip(paths, covered, strict=True)
        if media_ids is not None
    }


def _media_of(outcomes: Location) -> tuple[str, ...] | None:
    try:
        table = read_table(outcomes, schema=PART_OUTCOMES_SCHEMA)
    except DataError:
        return None
    return tuple(table["media_id"].to_pylist())


def part_outcomes(corpus_dir: Location, key: str) -> list[dict[str, Any]]:
    """Return the outcome rows of a finished part."""
    path = _outcomes_path(corpus_dir, key)
    rows: list[dict[str, Any]] = read_table(path, schema=PART_OUTCOMES_SCHEMA).to_pylist()
    return rows
