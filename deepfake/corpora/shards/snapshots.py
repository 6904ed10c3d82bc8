"""Write and open snapshots: the index of a corpus's crops with labels and splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from deepfake.config import (
    AnyExtractConfig,
    ExtractConfig,
    SpeechExtractConfig,
    SyncExtractConfig,
)
from deepfake.corpora.shards.reader import CropReader, read_columns, shard_path
from deepfake.corpora.shards.schemas import (
    FACES,
    INDEX_SCHEMA,
    LATER_OUTCOME_COLUMNS,
    MEDIA_FIELDS,
    OUTCOMES_SCHEMA,
    RECORD_SCHEMAS,
    SYNC,
    VOICE,
)
from deepfake.corpora.shards.shard import Shard
from deepfake.errors import DataError, ShardError, UnreadableMediaError
from deepfake.storage import (
    DataRoot,
    Location,
    map_threaded,
    read_json,
    read_locally,
    read_table,
    sha256_of,
    table_of,
    write_json,
    write_table,
    write_text,
)

__all__ = [
    "Snapshot",
    "has_snapshot",
    "open_snapshot",
    "parse_config",
    "set_latest",
    "write_snapshot",
]

_ConfigT = TypeVar("_ConfigT", ExtractConfig, SpeechExtractConfig, SyncExtractConfig)

_CONFIGS: Mapping[str, type[AnyExtractConfig]] = MappingProxyType(
    {FACES: ExtractConfig, VOICE: SpeechExtractConfig, SYNC: SyncExtractConfig}
)
"""By kind of evidence."""

_DIGEST = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A finished extraction of a corpus; never changed once written.

    Attributes:
        corpus_dir: The folder of the corpus's shards.
        corpus: Its name.
        digest: 16 hex digits, the name of the snapshot's folder.
    """

    corpus_dir: Location
    corpus: str
    digest: str

    @property
    def folder(self) -> Location:
        """The folder of the snapshot's own files."""
        return self.corpus_dir / self.digest

    @property
    def kind(self) -> str:
        """The kind of evidence that it holds, one of `RECORD_SCHEMAS`."""
        return str(self.description().get("kind", FACES))

    @property
    def config(self) -> ExtractConfig:
        """The settings that its crops were extracted with.

        Raises:
            ShardError: It holds no face crops, or the settings are damaged or of another version.
        """
        return self._config_of(FACES, ExtractConfig)

    @property
    def speech_config(self) -> SpeechExtractConfig:
        """The settings that its windows of speech were extracted with.

        Raises:
            ShardError: It holds no speech, or the settings are damaged or of another version.
        """
        return self._config_of(VOICE, SpeechExtractConfig)

    @property
    def sync_config(self) -> SyncExtractConfig:
        """The settings that its runs of mouths were extracted with.

        Raises:
            ShardError: It holds no such runs, or the settings are damaged or of another version.
        """
        return self._config_of(SYNC, SyncExtractConfig)

    @property
    def any_config(self) -> AnyExtractConfig:
        """The settings that its records were extracted with, of whatever kind they are.

        Raises:
            ShardError: The settings are damaged or of another version.
        """
        return parse_config(self.description(), path=self.folder)

    def _config_of(self, kind: str, model: type[_ConfigT]) -> _ConfigT:
        found = self.any_config
        if not isinstance(found, model):
            raise ShardError(
                f"the corpus {self.corpus!r} was ingested for {self.kind}, not for {kind}",
                path=self.folder,
                hint=f"Ingest it with --modality {kind} under another name.",
            )
        return found

    def description(self) -> dict[str, Any]:
        """Return `snapshot.json`: configuration, versions, counts, notes on the split.

        Raises:
            DataError: The file is missing or damaged.
        """
        value: Any = read_json(self.folder / "snapshot.json")
        if not isinstance(value, dict):
            raise ShardError("snapshot.json does not describe a snapshot", path=self.folder)
        return value

    def index(self) -> pd.DataFrame:
        """Return its records, a row each, with the columns of `RECORD_SCHEMAS`."""
        path = self.folder / "index.parquet"
        return _read_frame(path, _index_schema(path))

    def outcomes(self) -> pd.DataFrame:
        """Return a row for each file, with the columns of `OUTCOMES_SCHEMA`."""
        path = self.folder / "outcomes.parquet"
        return _read_frame(path, OUTCOMES_SCHEMA, may_lack=LATER_OUTCOME_COLUMNS)

    def reader(self) -> CropReader:
        """Return a reader of its records' bytes."""
        return CropReader(self.corpus_dir)

    def missing_shards(self) -> list[str]:
        """Return the shards of the index that are missing or changed."""
        pairs = self.index()[["shard", "shard_sha256"]].drop_duplicates()
        return [
            shard
            for shard, digest in pairs.itertuples(index=False)
            if not _is_whole(shard_path(self.corpus_dir, shard), digest)
        ]


def parse_config(description: Mapping[str, Any], *, path: Location) -> AnyExtractConfig:
    """Return the settings that the records of a snapshot were extracted with.

    Args:
        description: Of `snapshot.json`.
        path: The snapshot, for messages.

    Raises:
        ShardError: They are missing, damaged or of another version.
    """
    model = _CONFIGS.get(str(description.get("kind", FACES)), ExtractConfig)
    try:
        return model.model_validate(description.get("config"))
    except ValidationError as error:
        first = error.errors()[0]["msg"]
        raise ShardError(f"the settings are damaged ({first})", path=path) from error


def _is_whole(shard: Location, digest: str) -> bool:
    try:
        return read_locally(shard, sha256_of, sha256=digest) == digest
    except (FileNotFoundError, UnreadableMediaError):
        return False
    except DataError:  # the object was changed
        return False


def _index_schema(path: Location) -> pa.Schema:
    """Return the schema that an index says to have; that of faces where it says none of ours."""
    try:
        metadata = read_locally(path, pq.read_schema).metadata or {}
    except (OSError, pa.ArrowException, ValueError):  # reading it tells what is wrong
        return INDEX_SCHEMA
    known = {own.index.metadata[b"schema"]: own.index for own in RECORD_SCHEMAS.values()}
    return known.get(metadata.get(b"schema"), INDEX_SCHEMA)


def _read_frame(
    path: Location, schema: pa.Schema, *, may_lack: Set[str] = frozenset()
) -> pd.DataFrame:
    try:
        table = read_table(path, schema=schema, may_lack=may_lack)
    except DataError as error:
        raise ShardError(error.message, path=error.path, hint=error.hint) from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def write_snapshot(
    corpus_dir: Location,
    *,
    corpus: str,
    digest: str,
    media: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Mapping[str, Any]],
    shards: Iterable[Shard],
    description: Mapping[str, Any],
    kind: str = FACES,
) -> Snapshot:
    """Write a snapshot over finished shards; the index comes last.

    Args:
        corpus_dir: The folder of the corpus's shards.
        corpus: Its name.
        digest: The snapshot's name.
        media: For each medium with crops: media_id and the columns of its first uri.
        outcomes: One record a file, columns of `OUTCOMES_SCHEMA`.
        shards: The shards that hold the crops.
        description: Goes into `snapshot.json`.
        kind: Of the evidence that all shards hold.
    """
    schemas = RECORD_SCHEMAS[kind]
    snapshot = Snapshot(corpus_dir=corpus_dir, corpus=corpus, digest=digest)
    by_media = {str(m["media_id"]): m for m in media}
    tables = map_threaded(
        lambda shard: _index_of_shard(corpus_dir, shard, by_media, schema=schemas.index), shards
    )
    index = pa.concat_tables([schemas.index.empty_table(), *tables]).sort_by(
        [(name, "ascending") for name in ("uri", *schemas.order)]
    )
    rows = sorted(outcomes, key=lambda o: str(o["uri"]))
    write_table(
        snapshot.folder / "outcomes.parquet",
        pa.Table.from_pylist([dict(row) for row in rows], schema=OUTCOMES_SCHEMA),
    )
    write_json(snapshot.folder / "snapshot.json", dict(description))
    write_table(snapshot.folder / "index.parquet", index)
    return snapshot


def _index_of_shard(
    corpus_dir: Location,
    shard: Shard,
    by_media: Mapping[str, Mapping[str, Any]],
    *,
    schema: pa.Schema,
) -> pa.Table:
    name = f"{shard.key}.arrow"
    table = read_columns(shard_path(corpus_dir, name))
    rows = []
    for row, record in enumerate(table.to_pylist()):
        medium = by_media.get(record["media_id"])
        if medium is None:
            continue
        own = {f.name: medium.get(f.name) for f in MEDIA_FIELDS}
        rows.append({**record, **own, "shard": name, "row": row, "shard_sha256": shard.sha256})
    return table_of(rows, schema=schema)


def set_latest(corpus_dir: Location, digest: str) -> None:
    """Make a finished snapshot the latest of its corpus."""
    write_text(corpus_dir / "latest", digest + "\n")


def open_snapshot(root: DataRoot, corpus: str, *, digest: str | None = None) -> Snapshot:
    """Open a snapshot of a corpus.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        digest: Digest of the snapshot; None for the latest.

    Raises:
        ShardError: There is no such snapshot.
    """
    corpus_dir = root.corpus_shards(corpus)
    if digest is None:
        if not root.has_corpus(corpus):
            known = sorted(p.parent.name for p in (root.path / "shards").glob("*/latest"))
            raise ShardError(
                f"no corpus {corpus!r} has been ingested (there are: {', '.join(known) or 'none'})",
                path=corpus_dir,
                hint=f"Run `deepfake ingest FOLDER --corpus {corpus} --layout folder` first.",
            )
        digest = (corpus_dir / "latest").read_text(encoding="utf-8", errors="replace").strip()
    if not _DIGEST.fullmatch(digest):
        raise ShardError(f"{digest!r} is not the digest of a snapshot", path=corpus_dir)
    snapshot = Snapshot(corpus_dir=corpus_dir, corpus=corpus, digest=digest)
    if not (snapshot.folder / "index.parquet").is_file():
        raise ShardError(f"the snapshot {digest} does not exist", path=corpus_dir)
    return snapshot


def has_snapshot(corpus_dir: Location, digest: str) -> bool:
    """Return whether there is a finished snapshot of that digest."""
    return (corpus_dir / digest / "index.parquet").is_file()
