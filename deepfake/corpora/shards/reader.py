"""Read crops by shard and row, memory-mapped."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deepfake.corpora.shards.schemas import kind_of_shard
from deepfake.corpora.shards.shard import shards_folder
from deepfake.errors import DataError, ShardError, StoreError
from deepfake.storage import Location, StorePath, max_copies_bytes, read_locally

__all__ = ["CropReader", "read_columns", "shard_path"]

_PIXELS = "encoded"
_SHARD_NAME = re.compile(r"[0-9a-f]{16}\.arrow")


def shard_path(corpus_dir: Location, shard: str) -> Location:
    """Return the path of a shard's crops, by its file name.

    Raises:
        ShardError: It is not the name of a shard, and could lead out of the folder.
    """
    if not _SHARD_NAME.fullmatch(shard):
        raise ShardError(f"{shard!r} is not the name of a shard", path=corpus_dir)
    return shards_folder(corpus_dir) / shard


def read_columns(path: Location) -> pa.Table:
    """Return a shard's columns without the pixels, which are not downloaded from a store."""
    if isinstance(path, StorePath):
        with path.open() as file, pa.PythonFile(file, mode="r") as source:
            return _read_columns(source)
    with pa.memory_map(str(path)) as source:
        return _read_columns(source)


def _read_columns(source: pa.NativeFile) -> pa.Table:
    names = pa.ipc.open_file(source).schema.names
    source.seek(0)
    wanted = pa.ipc.IpcReadOptions(
        included_fields=[at for at, name in enumerate(names) if name != _PIXELS]
    )
    return pa.ipc.open_file(source, options=wanted).read_all()


class _BinaryColumn:
    """Gives views of a binary column's values; Arrow's own scalars would be copies."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._ends: list[int] = []
        self._chunks: list[tuple[NDArray[np.int32], memoryview]] = []
        self.num_bytes = column.nbytes
        for chunk in column.chunks:
            if len(chunk):
                _, offsets, data = chunk.buffers()
                mine = np.frombuffer(offsets, np.int32)[
                    chunk.offset : chunk.offset + len(chunk) + 1
                ]
                self._chunks.append((mine, memoryview(data or b"")))
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
    """Reads crops from memory-mapped shards; opens each shard on first use.

    It can be sent to another process, which opens the shards again. Of shards in a store local
    copies are mapped, at most as many as fit into the cache.

    Attributes:
        corpus_dir: The folder of the corpus's shards.
        digests: SHA-256 of shards, by name, to check the copies.
    """

    corpus_dir: Location
    digests: Mapping[str, str] = field(default_factory=dict, repr=False)
    _columns: dict[str, _BinaryColumn] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"corpus_dir": self.corpus_dir, "digests": self.digests, "_columns": {}}

    def encoded(self, shard: str, row: int) -> memoryview:
        """Return the encoded bytes of one crop, without copying them.

        Raises:
            ShardError: No such shard or row, or the file is damaged.
        """
        column = self._columns.get(shard)
        if column is None:
            column = self._columns[shard] = self._open(shard)
            self._close_oldest()
        if not 0 <= row < len(column):
            raise ShardError(f"row {row} is not in 0..{len(column) - 1} of {shard}")
        return column[row]

    def _open(self, shard: str) -> _BinaryColumn:
        path = shard_path(self.corpus_dir, shard)
        try:
            return read_locally(path, _map_column, sha256=self.digests.get(shard))
        except StoreError:
            raise
        except DataError as error:
            raise ShardError(error.message, path=path) from error
        except (OSError, pa.ArrowException, ValueError) as error:
            raise ShardError(f"the shard cannot be read ({error})", path=path) from error

    def _close_oldest(self) -> None:
        if isinstance(self.corpus_dir, Path):
            return
        # A mapped copy occupies disk space even after it was deleted.
        names = list(self._columns)
        size = sum(column.num_bytes for column in self._columns.values())
        for name in names[:-1]:
            if size <= max_copies_bytes():
                return
            size -= self._columns.pop(name).num_bytes


def _map_column(path: Path) -> _BinaryColumn:
    with pa.memory_map(str(path)) as source:
        file = pa.ipc.open_file(source)
        kind_of_shard(file.schema)
        column = file.read_all()[_PIXELS]
    # The offsets come from the file and may be invalid.
    column.validate(full=True)
    return _BinaryColumn(column)
