"""Snapshots of mouths made by code, through the same writers as real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfake.config import SyncExtractConfig
from deepfake.corpora.shards import Snapshot, run_records, write_shard, write_snapshot
from deepfake.media.run_codec import store_run
from deepfake.types import Outcome, Status, StoredRun
from tests.untrained_sync_detector import draw_run

__all__ = ["write_sync_corpus"]

_SECONDS_APART = 4.0


def write_sync_corpus(
    folder: Path,
    counts: Mapping[tuple[str, str], int],
    *,
    corpus: str = "lips",
    num_runs: int = 2,
    num_mouths: int = 40,
    seed: int = 0,
) -> Snapshot:
    """Write a corpus of one shard and return its snapshot.

    Args:
        folder: The data root.
        counts: Files by split and label; a fake's lips do not move with its sound.
        corpus: Its name.
        num_runs: Of each file.
        num_mouths: Of each run.
        seed: Of what is random.
    """
    rng = np.random.default_rng(seed)
    records, outcomes, media = [], [], []
    names = [
        (split, label, number)
        for (split, label), count in counts.items()
        for number in range(count)
    ]
    for split, label, number in names:
        media_id = hashlib.sha256(f"{corpus}/{split}/{label}/{number}".encode()).hexdigest()
        runs = [
            _run(rng, at, num_mouths=num_mouths, is_foreign=label == "fake")
            for at in range(num_runs)
        ]
        records += run_records(media_id, "video", runs)
        own = {"media_id": media_id, "uri": f"/{corpus}/{split}/{label}/{number}.mp4"}
        outcomes.append(Outcome(**own, status=Status.OK))
        identity = f"{split}-{number % 2}"
        further = {"corpus": corpus, "label": label, "identity": identity, "split": split}
        media.append({**own, **further})
    corpus_dir = folder / "shards" / corpus
    key = hashlib.sha256(corpus.encode()).hexdigest()[:16]
    shard = write_shard(corpus_dir, key=key, records=records, outcomes=outcomes, kind="sync")
    return write_snapshot(
        corpus_dir,
        corpus=corpus,
        digest=hashlib.sha256(repr((corpus, seed, names)).encode()).hexdigest()[:16],
        media=media,
        outcomes=[{**one, "kind": "video", "status": "ok"} for one in media],
        shards=[shard],
        description={"kind": "sync", "config": SyncExtractConfig().model_dump(mode="json")},
        kind="sync",
    )


def _run(rng: np.random.Generator, at: int, *, num_mouths: int, is_foreign: bool) -> StoredRun:
    run = draw_run(rng, num_mouths=num_mouths, run_index=at, is_foreign=is_foreign)
    begin = 1.0 + _SECONDS_APART * at
    return store_run(replace(run, pts_seconds=begin, end_seconds=begin + num_mouths / 25))
