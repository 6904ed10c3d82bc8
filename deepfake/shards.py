"""Crop shards, the index over them, and snapshots of a corpus.

    <data-root>/shards/<corpus>/
        parts/<key>.arrow              crops of one batch of media, memory-mapped when read
        parts/<key>.outcomes.parquet   what became of each medium of the batch; written before it
        <digest>/                      a snapshot: outcomes, configuration, and last the index
        latest                         the digest of the newest snapshot

A part holds what follows from the bytes of its media alone. Names, labels and splits stand in the
snapshot, so that a relabelled corpus shares every part with the one before.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from deepfake.config import ExtractConfig
from deepfake.errors import DataError, ShardError
from deepfake.storage import (
    DataRoot,
    atomic_path,
    read_json,
    read_table,
    sha256_of,
    write_json,
    write_table,
    write_text,
)
from deepfake.types import FaceCrop, Outcome

__all__ = [
    "INDEX_SCHEMA",
    "OUTCOMES_SCHEMA",
    "SHARD_SCHEMA",
    "CropReader",
    "Part",
    "Snapshot",
    "crop_records",
    "is_snapshot",
    "list_parts",
    "name_latest",
    "open_snapshot",
    "part_outcomes",
    "read_part",
    "write_part",
    "write_snapshot",
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

_MEDIA_FIELDS = [
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
        *_MEDIA_FIELDS,
        pa.field("shard", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("shard_sha256", pa.string()),
    ],
    metadata={"schema": "deepfake.index", "schema_version": "1"},
)

_OUTCOME_FIELDS = [
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
    [pa.field("media_id", pa.string()), pa.field("uri", pa.string()), *_OUTCOME_FIELDS],
    metadata={"schema": "deepfake.part_outcomes", "schema_version": "1"},
)

OUTCOMES_SCHEMA = pa.schema(
    [
        pa.field("media_id", pa.string()),
        pa.field("size_bytes", pa.int64()),
        *_MEDIA_FIELDS,
        *_OUTCOME_FIELDS,
    ],
    metadata={"schema": "deepfake.outcomes", "schema_version": "1"},
)

_SHARD_NAME = re.compile(r"[0-9a-f]{16}\.arrow")
_DIGEST = re.compile(r"[0-9a-f]{16}")


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


def _parts_folder(corpus_dir: Path) -> Path:
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
    shard = _parts_folder(corpus_dir) / f"{key}.arrow"
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
            _parts_folder(corpus_dir) / f"{key}.outcomes.parquet",
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
    folder = _parts_folder(corpus_dir)
    shard, outcomes = folder / f"{key}.arrow", folder / f"{key}.outcomes.parquet"
    if not (shard.is_file() and outcomes.is_file()):
        return None
    try:
        table = read_table(outcomes, schema=PART_OUTCOMES_SCHEMA)
    except DataError:
        return None
    noted = (table.schema.metadata or {}).get(b"shard_sha256", b"").decode()
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
    for path in sorted(_parts_folder(corpus_dir).glob("*.outcomes.parquet")):
        try:
            table = read_table(path, schema=PART_OUTCOMES_SCHEMA)
        except DataError:
            continue
        found[path.name.split(".")[0]] = tuple(table["media_id"].to_pylist())
    return found


def part_outcomes(corpus_dir: Path, key: str) -> list[dict[str, Any]]:
    """Return the outcome rows of a finished part."""
    path = _parts_folder(corpus_dir) / f"{key}.outcomes.parquet"
    rows: list[dict[str, Any]] = read_table(path, schema=PART_OUTCOMES_SCHEMA).to_pylist()
    return rows


def _shard_path(corpus_dir: Path, shard: str) -> Path:
    if not _SHARD_NAME.fullmatch(shard):
        raise ShardError(f"{shard!r} is not the name of a shard", path=corpus_dir)
    return _parts_folder(corpus_dir) / shard


class _BinaryColumn:
    """Views of a column's values where they lie; Arrow's own scalars are copies."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._ends: list[int] = []
        self._chunks: list[tuple[NDArray[np.int32], memoryview]] = []
        for chunk in column.chunks:
            if len(chunk):
                _, offsets, data = chunk.buffers()
                mine = np.frombuffer(offsets, np.int32)[
                    chunk.offset : chunk.offset + len(chunk) + 1
                ]
                self._chunks.append((mine, memoryview(data)))
                self._ends.append(len(self) + len(chunk))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, row: int) -> memoryview:
        at = bisect_right(self._ends, row)
        offsets, data = self._chunks[at]
        first = row - (self._ends[at - 1] if at else 0)
        return data[offsets[first] : offsets[first + 1]]


@dataclass
class CropReader:
    """Reads crops out of memory-mapped shards; opens each when it is first asked for.

    Crosses process borders: what is open stays behind.

    Attributes:
        corpus_dir: The folder of the corpus's shards.
    """

    corpus_dir: Path
    _columns: dict[str, _BinaryColumn] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"corpus_dir": self.corpus_dir, "_columns": {}}

    def encoded(self, shard: str, row: int) -> memoryview:
        """Return the bytes of one crop as they are stored, without copying them.

        Raises:
            ShardError: No such shard or row, or the file is damaged.
        """
        column = self._columns.get(shard)
        if column is None:
            column = self._columns[shard] = self._open(shard)
        if not 0 <= row < len(column):
            raise ShardError(f"row {row} is not in 0..{len(column) - 1} of {shard}")
        return column[row]

    def _open(self, shard: str) -> _BinaryColumn:
        path = _shard_path(self.corpus_dir, shard)
        try:
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
            if (table.schema.metadata or {}) != SHARD_SCHEMA.metadata:
                raise ShardError("not a shard of this version", path=path)
            return _BinaryColumn(table["encoded"])
        except (OSError, pa.ArrowException) as error:
            raise ShardError(f"the shard cannot be read ({error})", path=path) from error


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A corpus as it was extracted at one moment; never changed once written.

    Attributes:
        corpus_dir: The folder of the corpus's shards.
        corpus: Its name.
        digest: 16 hex digits, the name of the snapshot's folder.
    """

    corpus_dir: Path
    corpus: str
    digest: str

    @property
    def folder(self) -> Path:
        """Where the snapshot's own files lie."""
        return self.corpus_dir / self.digest

    @property
    def config(self) -> ExtractConfig:
        """The settings that its crops were made with."""
        return ExtractConfig.model_validate(self.description()["config"])

    def description(self) -> dict[str, Any]:
        """Return `snapshot.json`: configuration, versions, counts, notes on the split."""
        value: dict[str, Any] = read_json(self.folder / "snapshot.json")
        return value

    def index(self) -> pd.DataFrame:
        """Return the crops, a row each, columns of `INDEX_SCHEMA`."""
        return _read_frame(self.folder / "index.parquet", INDEX_SCHEMA)

    def outcomes(self) -> pd.DataFrame:
        """Return the files, a row each, columns of `OUTCOMES_SCHEMA`."""
        return _read_frame(self.folder / "outcomes.parquet", OUTCOMES_SCHEMA)

    def reader(self) -> CropReader:
        """Return a reader of the crops' bytes."""
        return CropReader(self.corpus_dir)

    def missing_shards(self) -> list[str]:
        """Return the shards that the index names and that are gone or altered."""
        pairs = self.index()[["shard", "shard_sha256"]].drop_duplicates()
        return [
            shard
            for shard, digest in pairs.itertuples(index=False)
            if not (path := _shard_path(self.corpus_dir, shard)).is_file()
            or sha256_of(path) != digest
        ]


def _read_frame(path: Path, schema: pa.Schema) -> pd.DataFrame:
    try:
        table = read_table(path, schema=schema)
    except DataError as error:
        raise ShardError(error.message, path=error.path, hint=error.hint) from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def write_snapshot(
    corpus_dir: Path,
    *,
    corpus: str,
    digest: str,
    media: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Mapping[str, Any]],
    parts: Iterable[Part],
    description: Mapping[str, Any],
) -> Snapshot:
    """Write a snapshot over finished parts; the index comes last.

    Args:
        corpus_dir: The folder of the corpus's shards.
        corpus: Its name.
        digest: The snapshot's name.
        media: For each medium with crops: media_id and the columns of its first uri.
        outcomes: One record a file, columns of `OUTCOMES_SCHEMA`.
        parts: The parts that hold the crops.
        description: Goes into `snapshot.json`.
    """
    snapshot = Snapshot(corpus_dir=corpus_dir, corpus=corpus, digest=digest)
    by_media = {str(m["media_id"]): m for m in media}
    tables = [_index_of_part(corpus_dir, part, by_media) for part in parts]
    index = pa.concat_tables([INDEX_SCHEMA.empty_table(), *tables]).sort_by(
        [("uri", "ascending"), ("frame_index", "ascending"), ("track_id", "ascending")]
    )
    rows = sorted(outcomes, key=lambda o: str(o["uri"]))
    write_table(
        snapshot.folder / "outcomes.parquet",
        pa.Table.from_pylist([dict(row) for row in rows], schema=OUTCOMES_SCHEMA),
    )
    write_json(snapshot.folder / "snapshot.json", dict(description))
    write_table(snapshot.folder / "index.parquet", index)
    return snapshot


def _index_of_part(
    corpus_dir: Path, part: Part, by_media: Mapping[str, Mapping[str, Any]]
) -> pa.Table:
    name = f"{part.key}.arrow"
    path = _shard_path(corpus_dir, name)
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all().drop_columns(["encoded"])
    rows = []
    for row, record in enumerate(table.to_pylist()):
        medium = by_media.get(record["media_id"])
        if medium is None:
            continue
        own = {f.name: medium.get(f.name) for f in _MEDIA_FIELDS}
        rows.append({**record, **own, "shard": name, "row": row, "shard_sha256": part.shard_sha256})
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)


def name_latest(corpus_dir: Path, digest: str) -> None:
    """Make a finished snapshot the one that the corpus's name stands for."""
    write_text(corpus_dir / "latest", digest + "\n")


def open_snapshot(root: DataRoot, corpus: str, *, digest: str | None = None) -> Snapshot:
    """Open a snapshot of a corpus.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        digest: Which; None for the one that `latest` names.

    Raises:
        ShardError: There is none.
    """
    corpus_dir = root.corpus_shards(corpus)
    if digest is None:
        latest = corpus_dir / "latest"
        if not latest.is_file():
            known = sorted(p.parent.name for p in (root.path / "shards").glob("*/latest"))
            raise ShardError(
                f"no corpus {corpus!r} has been ingested (there are: {', '.join(known) or 'none'})",
                path=corpus_dir,
                hint=f"Run `deepfake ingest FOLDER --corpus {corpus} --layout folder` first.",
            )
        digest = latest.read_text(encoding="utf-8").strip()
    if not _DIGEST.fullmatch(digest):
        raise ShardError(f"{digest!r} is not the digest of a snapshot", path=corpus_dir)
    snapshot = Snapshot(corpus_dir=corpus_dir, corpus=corpus, digest=digest)
    if not (snapshot.folder / "index.parquet").is_file():
        raise ShardError(f"the snapshot {digest} is not there", path=corpus_dir)
    return snapshot


def is_snapshot(corpus_dir: Path, digest: str) -> bool:
    """Return whether a snapshot of that digest was finished."""
    return (corpus_dir / digest / "index.parquet").is_file()
