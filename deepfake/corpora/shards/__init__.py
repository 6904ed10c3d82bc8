"""Crop shards, the index over them, and snapshots of a corpus.

    <data-root>/shards/<corpus>/
        parts/<key>.arrow              crops of one batch of media, memory-mapped when read
        parts/<key>.outcomes.parquet   what became of each medium of the batch; written before it
        <digest>/                      a snapshot: outcomes, configuration, and last the index
        latest                         the digest of the newest snapshot

A part holds what follows from the bytes of its media alone. Names, labels and splits stand in the
snapshot, so that a relabelled corpus shares every part with the one before.
"""

from deepfake.corpora.shards.parts import (
    Part,
    crop_records,
    crop_rows,
    list_parts,
    noted_digest,
    part_outcomes,
    parts_folder,
    read_part,
    remove_part,
    rewrite_part,
    write_part,
)
from deepfake.corpora.shards.reader import CropReader
from deepfake.corpora.shards.schemas import INDEX_SCHEMA, OUTCOMES_SCHEMA, SHARD_SCHEMA
from deepfake.corpora.shards.snapshots import (
    Snapshot,
    is_snapshot,
    name_latest,
    open_snapshot,
    write_snapshot,
)

__all__ = [
    "INDEX_SCHEMA",
    "OUTCOMES_SCHEMA",
    "SHARD_SCHEMA",
    "CropReader",
    "Part",
    "Snapshot",
    "crop_records",
    "crop_rows",
    "is_snapshot",
    "list_parts",
    "name_latest",
    "noted_digest",
    "open_snapshot",
    "part_outcomes",
    "parts_folder",
    "read_part",
    "remove_part",
    "rewrite_part",
    "write_part",
    "write_snapshot",
]
