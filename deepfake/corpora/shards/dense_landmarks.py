"""Keep 468 landmarks of crops beside their shard, in `parts/<key>.landmarks-<model>.parquet`.

They can be computed again at any time, and are deleted with the shard.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deepfake.corpora.shards.shard import shards_folder
from deepfake.errors import DataError
from deepfake.storage import Location, read_table, write_table

__all__ = ["KeptLandmarks", "read_dense_landmarks", "write_dense_landmarks"]

KeptLandmarks = Mapping[int, NDArray[np.float16] | None]
"""By row of the shard: x and y in the pixels of the stored crop, shape (N, 2); None where none were
found."""

_SCHEMA = pa.schema(
    [
        pa.field("shard_sha256", pa.string()),
        pa.field("row", pa.int32()),
        # Little-endian float16, x and y in turn.
        pa.field("points", pa.binary()),
    ],
    metadata={"schema": "deepfake.dense_landmarks", "schema_version": "1"},
)

_TYPE = np.dtype("<f2")


def read_dense_landmarks(
    corpus_dir: Location, shard: str, *, shard_sha256: str, model_sha256: str
) -> KeptLandmarks:
    """Return what is kept of a shard; nothing if the file is missing, damaged or of other crops.

    Args:
        corpus_dir: The folder of the corpus's shards.
        shard: File name of the shard.
        shard_sha256: Of the shard.
        model_sha256: Of the network that located the landmarks.
    """
    try:
        table = read_table(_path(corpus_dir, shard, model_sha256), schema=_SCHEMA)
    except DataError:
        return {}
    columns = (table[name].to_pylist() for name in _SCHEMA.names)
    try:
        return {
            row: None if points is None else np.frombuffer(points, _TYPE).reshape(-1, 2)
            for digest, row, points in zip(*columns, strict=True)
            if digest == shard_sha256
        }
    except ValueError:  # a length that is no number of points
        return {}


def write_dense_landmarks(
    corpus_dir: Location,
    shard: str,
    landmarks: KeptLandmarks,
    *,
    shard_sha256: str,
    model_sha256: str,
) -> None:
    """Keep landmarks of a shard, in place of those that were kept; arguments as for reading."""
    rows = sorted(landmarks)
    points = [landmarks[row] for row in rows]
    table = pa.table(
        {
            "shard_sha256": [shard_sha256] * len(rows),
            "row": rows,
            "points": [None if p is None else p.astype(_TYPE).tobytes() for p in points],
        },
        schema=_SCHEMA,
    )
    write_table(_path(corpus_dir, shard, model_sha256), table)


def _path(corpus_dir: Location, shard: str, model_sha256: str) -> Location:
    key = shard.removesuffix(".arrow")
    return shards_folder(corpus_dir) / f"{key}.landmarks-{model_sha256[:16]}.parquet"
