"""Locate 468 landmarks of the crops that are blended, once a shard."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from deepfake.config import CropConfig
from deepfake.corpora.shards import read_dense_landmarks, write_dense_landmarks
from deepfake.errors import StoreError
from deepfake.extract.faces import DENSE_MODEL_SHA256, NUM_DENSE_LANDMARKS, DenseLandmarker
from deepfake.storage import location_of
from deepfake.training.data.crops import CropDataset, InputSpec, worker_options
from deepfake.training.data.stored_squares import landmarks_of

__all__ = ["dense_landmarks_of"]

logger = logging.getLogger(__name__)

Located = NDArray[np.float16] | None

_BATCH = 64


def dense_landmarks_of(
    crops: pd.DataFrame, *, crop: CropConfig, num_workers: int = 0
) -> NDArray[np.float16]:
    """Return 468 landmarks in the pixels of the stored crops, NaN where none were found.

    What is located is kept beside the shards, and read the next time.

    Args:
        crops: Rows of `collect_crops`.
        crop: How the crops were stored.
        num_workers: Processes that locate what is not kept; 0 for this one.

    Returns:
        x and y, shape (N, 468, 2); half precision is off by an eighth of a pixel at most.
    """
    crops = crops.reset_index(drop=True)
    shards = [_ShardRows(crops.loc[at]) for at in _rows_by_shard(crops)]
    missing = [shard for shard in shards if len(shard.missing)]
    if missing:
        _locate_and_keep(missing, crop=crop, num_workers=num_workers)
    found = np.full((len(crops), NUM_DENSE_LANDMARKS, 2), np.nan, dtype=np.float16)
    for shard in shards:
        for at, row in zip(shard.rows.index.to_numpy(), shard.rows["row"].to_numpy(), strict=True):
            points = shard.kept.get(int(row))
            if points is not None and points.shape == found.shape[1:]:
                found[at] = points
    return found


def _rows_by_shard(crops: pd.DataFrame) -> list[pd.Index]:
    return list(crops.groupby(["corpus_dir", "shard", "shard_sha256"]).groups.values())


class _ShardRows:
    """Crops of one shard, and the landmarks that are kept of it.

    Args:
        rows: Rows of `collect_crops`, of one shard.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        first = rows.iloc[0]
        self._corpus_dir, self._shard = location_of(first["corpus_dir"]), str(first["shard"])
        self._digests = {
            "shard_sha256": str(first["shard_sha256"]),
            "model_sha256": DENSE_MODEL_SHA256,
        }
        self.kept = dict(read_dense_landmarks(self._corpus_dir, self._shard, **self._digests))
        is_missing = ~rows["row"].isin(list(self.kept))
        self.missing = rows[is_missing].drop_duplicates("row")

    def keep(self, located: Iterator[Located]) -> None:
        """Take the landmarks of the missing rows, in their order, and write all to disk."""
        for row, points in zip(self.missing["row"], located, strict=False):
            self.kept[int(row)] = points
        try:
            write_dense_landmarks(self._corpus_dir, self._shard, self.kept, **self._digests)
        except (OSError, StoreError) as error:
            logger.warning("the landmarks of %s are not kept (%s)", self._shard, error)


def _locate_and_keep(shards: Sequence[_ShardRows], *, crop: CropConfig, num_workers: int) -> None:
    crops = pd.concat([shard.missing for shard in shards], ignore_index=True)
    logger.info("locating 468 landmarks of %d crops", len(crops))
    loader = DataLoader(
        _LocatedLandmarks(crops, crop=crop),
        batch_size=_BATCH,
        collate_fn=list,
        **worker_options(num_workers, pin_memory=False),
    )
    located = (points for batch in loader for points in batch)
    for shard in shards:
        shard.keep(itertools.islice(located, len(shard.missing)))


class _LocatedLandmarks(Dataset[Located]):
    """Landmarks of the crops of a table, located on access.

    Args:
        crops: Rows of `collect_crops`.
        crop: How the crops were stored.
    """

    def __init__(self, crops: pd.DataFrame, *, crop: CropConfig) -> None:
        self._crops = CropDataset(crops, spec=_NO_INPUT)
        self._five = landmarks_of(crops, crop=crop)
        self._landmarker: DenseLandmarker | None = None

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, row: int) -> Located:
        """Return the landmarks of a row, None where none are found."""
        if self._landmarker is None:  # a compiled network cannot be sent to a worker
            self._landmarker = DenseLandmarker()
        points = self._landmarker.locate(self._crops.stored_pixels(row), self._five[row])
        return None if points is None else points.astype(np.float16)


_NO_INPUT = InputSpec(input_size=32, mean=(0.0,) * 3, std=(1.0,) * 3)
"""Crops are read as they are stored; no network of ours takes them."""
