"""Write, read and list shards: the records of one batch of media, and each medium's outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.corpora.shards.schemas import (
    FACES,
    LATER_OUTCOME_COLUMNS,
    RECORD_SCHEMAS,
    SHARD_OUTCOMES_SCHEMA,
)
from deepfake.errors import DataError, ShardError
from deepfake.storage import (
    Location,
    StorePath,
    atomic_path,
    local_copy,
    map_threaded,
    read_locally,
    read_table,
    sha256_of,
    table_of,
    write_table,
)
from deepfake.types import FaceCrop, Outcome, StoredRun, StoredWindow

__all__ = [
    "Shard",
    "arrow_path",
    "crop_records",
    "list_shards",
    "read_shard",
    "recorded_digest",
    "remove_shard",
    "rewrite_shard",
    "rows_by_crop_id",
    "run_records",
    "shard_outcomes",
    "shards_folder",
    "window_records",
    "write_shard",
]


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished batch: an Arrow file of crops and a Parquet file of outcomes.

    Attributes:
        key: Digest of the configuration and of the media, 16 hex digits.
        sha256: Of the Arrow file.
        media_ids: The media that it covers, in the order of their crops.
        num_crops: Crops, windows of speech or runs of mouths in the Arrow file.
    """

    key: str
    sha256: str
    media_ids: tuple[str, ...]
    num_crops: int


def crop_records(
    media_id: str, kind: str, crops: Sequence[FaceCrop], *, frame_wh: tuple[int, int]
) -> list[dict[str, Any]]:
    """Return one medium's crops as shard records.

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


def window_records(
    media_id: str, kind: str, windows: Sequence[StoredWindow]
) -> list[dict[str, Any]]:
    """Return one medium's windows of speech as shard records.

    Args:
        media_id: SHA-256 of the medium.
        kind: `video` or `audio`.
        windows: Its windows, ascending in time.
    """
    return [
        {
            "crop_id": f"{media_id[:16]}-{number:06d}",
            "media_id": media_id,
            "kind": kind,
            "window_index": number,
            **{own.name: getattr(window, own.name) for own in fields(window)},
        }
        for number, window in enumerate(windows)
    ]


def run_records(media_id: str, kind: str, runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """Return one medium's runs of mouths as shard records.

    Args:
        media_id: SHA-256 of the medium.
        kind: `video`.
        runs: Its runs, ascending in time and track.
    """
    return [
        {
            "crop_id": f"{media_id[:16]}-{run.run_index:06d}-{run.track_id:03d}",
            "media_id": media_id,
            "kind": kind,
            **{own.name: getattr(run, own.name) for own in fields(run)},
            "sound_span": list(run.sound_span),
        }
        for run in runs
    ]


def shards_folder(corpus_dir: Location) -> Location:
    """Return the folder of a corpus's shards; it is called `parts` on disk."""
    return corpus_dir / "parts"


def arrow_path(corpus_dir: Location, key: str) -> Location:
    """Return the path of a shard's crops."""
    return shards_folder(corpus_dir) / f"{key}.arrow"


def _outcomes_path(corpus_dir: Location, key: str) -> Location:
    return shards_folder(corpus_dir) / f"{key}.outcomes.parquet"


def write_shard(
    corpus_dir: Location,
    *,
    key: str,
    records: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Outcome],
    kind: str = FACES,
) -> Shard:
    """Write the crops of one batch and the outcomes of its media.

    Args:
        corpus_dir: The folder of the corpus's shards.
        key: Digest of the configuration and of the media.
        records: From `crop_records`, in the order of the media.
        outcomes: One a medium, each with a media_id.
        kind: Of evidence, one of `RECORD_SCHEMAS`.

    Raises:
        DataError: A record has a column that its schema does not know.
    """
    crops = table_of(records, schema=RECORD_SCHEMAS[kind].shard)
    rows = [_outcome_record(outcome) for outcome in outcomes]
    return _write(corpus_dir, key, crops, pa.Table.from_pylist(rows, schema=SHARD_OUTCOMES_SCHEMA))


def _write(corpus_dir: Location, key: str, crops: pa.Table, outcomes: pa.Table) -> Shard:
    shard = arrow_path(corpus_dir, key)
    with atomic_path(shard) as temporary:
        _write_arrow(temporary, crops.combine_chunks())
        digest = sha256_of(temporary)
        if isinstance(shard, Path):
            # Before the shard gets its name: an Arrow file of that name counts as finished.
            _write_outcomes(corpus_dir, key, outcomes, recorded={"shard_sha256": digest})
    if isinstance(shard, StorePath):
        # After the upload: only then the object has a tag.
        recorded = {"shard_sha256": digest, "shard_tag": shard.stat().tag}
        _write_outcomes(corpus_dir, key, outcomes, recorded=recorded)
    media_ids = tuple(outcomes["media_id"].to_pylist())
    return Shard(key=key, sha256=digest, media_ids=media_ids, num_crops=len(crops))


def rewrite_shard(corpus_dir: Location, key: str, *, without: Set[str], new_key: str) -> Shard:
    """Write a copy of a shard without some of its media; the old shard stays.

    Args:
        corpus_dir: The folder of the corpus's shards.
        key: Key of the old shard.
        without: Media to leave out.
        new_key: Key of the new shard. An undamaged shard of that key is kept as it is.

    Raises:
        ShardError: The old shard is missing or damaged.
    """
    found = read_shard(corpus_dir, new_key)
    if found is not None:
        return found
    if read_shard(corpus_dir, key) is None:
        raise ShardError(f"the shard {key} is missing or damaged", path=corpus_dir)
    with _opened(corpus_dir, key) as table:
        crops = _without(table, without)
        outcomes = _read_outcomes(_outcomes_path(corpus_dir, key))
        return _write(corpus_dir, new_key, crops, _without(outcomes, without))


@contextmanager
def _opened(corpus_dir: Location, key: str) -> Iterator[pa.Table]:
    """Yield a shard's crops, memory-mapped."""
    with (
        local_copy(arrow_path(corpus_dir, key)) as local,
        pa.memory_map(str(local)) as source,
    ):
        yield pa.ipc.open_file(source).read_all()


def _without(table: pa.Table, media_ids: Set[str]) -> pa.Table:
    gone = pa.array(sorted(media_ids), pa.string())
    return table.filter(pc.invert(pc.is_in(table["media_id"], value_set=gone)))


def recorded_digest(corpus_dir: Location, key: str) -> str | None:
    """Return the SHA-256 recorded when a shard was written, without reading its crops."""
    path = _outcomes_path(corpus_dir, key)
    try:
        metadata = read_locally(path, pq.read_schema).metadata or {}
    except (OSError, pa.ArrowException, ValueError):
        return None
    return metadata.get(b"shard_sha256", b"").decode(errors="replace") or None


def rows_by_crop_id(corpus_dir: Location, key: str) -> dict[str, int]:
    """Return the row of each crop of a shard, by crop_id."""
    with _opened(corpus_dir, key) as table:
        names = table["crop_id"].to_pylist()
    return {name: row for row, name in enumerate(names)}


def remove_shard(corpus_dir: Location, key: str) -> None:
    """Delete a shard and what is kept of its crops.

    The crops go first, since their file marks the shard as finished, and the list of its media
    last, since a removal that was killed is completed by it.
    """
    paths: list[Location] = [
        arrow_path(corpus_dir, key),
        *shards_folder(corpus_dir).glob(f"{key}.landmarks-*.parquet"),
        _outcomes_path(corpus_dir, key),
    ]
    for path in paths:
        path.unlink(missing_ok=True)


def _write_outcomes(
    corpus_dir: Location, key: str, outcomes: pa.Table, *, recorded: Mapping[str, str]
) -> None:
    metadata = {k.encode(): v.encode() for k, v in recorded.items()}
    table = outcomes.replace_schema_metadata({**SHARD_OUTCOMES_SCHEMA.metadata, **metadata})
    write_table(_outcomes_path(corpus_dir, key), table)


def _write_arrow(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _outcome_record(outcome: Outcome) -> dict[str, Any]:
    own = {f.name: getattr(outcome, f.name) for f in fields(Outcome) if f.name != "details"}
    return {**own, "status": str(outcome.status), **outcome.details}


def read_shard(corpus_dir: Location, key: str) -> Shard | None:
    """Return a shard if it is finished and undamaged, else None.

    On a local disk the SHA-256 of the Arrow file is computed and compared with the recorded one.
    In an object store, where that would download every shard at each start, the object's tag is
    compared instead.
    """
    arrow, outcomes = arrow_path(corpus_dir, key), _outcomes_path(corpus_dir, key)
    if not (arrow.is_file() and outcomes.is_file()):
        return None
    try:
        table = _read_outcomes(outcomes)
    except DataError:
        return None
    metadata = table.schema.metadata or {}
    recorded = metadata.get(b"shard_sha256", b"").decode("ascii", "replace")
    if isinstance(arrow, StorePath):
        is_whole = arrow.stat().tag == metadata.get(b"shard_tag", b"").decode("ascii", "replace")
    else:
        is_whole = sha256_of(arrow) == recorded
    if not is_whole:
        return None
    return Shard(
        key=key,
        sha256=recorded,
        media_ids=tuple(table["media_id"].to_pylist()),
        num_crops=sum(
            value or 0 for name in ("num_faces", "num_windows") for value in table[name].to_pylist()
        ),
    )


def list_shards(corpus_dir: Location) -> dict[str, tuple[str, ...]]:
    """Return the media of every shard ever finished, by key, even if its crops are gone.

    With this a lost shard is rebuilt with the same media as before.
    """
    paths: list[Location] = sorted(shards_folder(corpus_dir).glob("*.outcomes.parquet"), key=str)
    is_local = isinstance(corpus_dir, Path)
    covered = map(_media_of, paths) if is_local else map_threaded(_media_of, paths)
    return {
        path.name.split(".")[0]: media_ids
        for path, media_ids in zip(paths, covered, strict=True)
        if media_ids is not None
    }


def _media_of(outcomes: Location) -> tuple[str, ...] | None:
    try:
        table = _read_outcomes(outcomes)
    except DataError:
        return None
    return tuple(table["media_id"].to_pylist())


def shard_outcomes(corpus_dir: Location, key: str) -> list[dict[str, Any]]:
    """Return the outcome rows of a finished shard."""
    path = _outcomes_path(corpus_dir, key)
    rows: list[dict[str, Any]] = _read_outcomes(path).to_pylist()
    return rows


def _read_outcomes(path: Location) -> pa.Table:
    return read_table(path, schema=SHARD_OUTCOMES_SCHEMA, may_lack=LATER_OUTCOME_COLUMNS)
