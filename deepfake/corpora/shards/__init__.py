"""Shards of faces, speech or lips, the index over them, and snapshots of a corpus.

    <data-root>/shards/<corpus>/
        parts/<key>.arrow              a shard: the records of one batch of media, memory-mapped
        parts/<key>.outcomes.parquet   the outcome of each medium of the batch; written first
        parts/<key>.landmarks-*.parquet  468 landmarks of its crops, where a training needed them
        <digest>/                      a snapshot: outcomes, configuration, and last the index
        latest                         the digest of the newest snapshot

A shard depends on the bytes of its media alone. Names, labels and splits are in the snapshot, so
that a relabelled corpus shares every shard with the one before.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.corpora.shards.dense_landmarks import (
        KeptLandmarks,
        read_dense_landmarks,
        write_dense_landmarks,
    )
    from deepfake.corpora.shards.reader import CropReader
    from deepfake.corpora.shards.schemas import (
        FACES,
        LATER_OUTCOME_COLUMNS,
        OUTCOMES_SCHEMA,
        RECORD_SCHEMAS,
        SYNC,
        VOICE,
    )
    from deepfake.corpora.shards.shard import (
        Shard,
        crop_records,
        list_shards,
        read_shard,
        recorded_digest,
        remove_shard,
        rewrite_shard,
        rows_by_crop_id,
        run_records,
        shard_outcomes,
        shards_folder,
        window_records,
        write_shard,
    )
    from deepfake.corpora.shards.snapshots import (
        Snapshot,
        has_snapshot,
        open_snapshot,
        parse_config,
        set_latest,
        write_snapshot,
    )
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "FACES",
    "LATER_OUTCOME_COLUMNS",
    "OUTCOMES_SCHEMA",
    "RECORD_SCHEMAS",
    "SYNC",
    "VOICE",
    "CropReader",
    "KeptLandmarks",
    "Shard",
    "Snapshot",
    "crop_records",
    "has_snapshot",
    "list_shards",
    "open_snapshot",
    "parse_config",
    "read_dense_landmarks",
    "read_shard",
    "recorded_digest",
    "remove_shard",
    "rewrite_shard",
    "rows_by_crop_id",
    "run_records",
    "set_latest",
    "shard_outcomes",
    "shards_folder",
    "window_records",
    "write_dense_landmarks",
    "write_shard",
    "write_snapshot",
]
