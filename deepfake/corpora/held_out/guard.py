"""That nothing is learnt from a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from deepfake.corpora.held_out.frozen import Benchmark, list_benchmarks
from deepfake.corpora.shards import Snapshot
from deepfake.errors import SplitLeakageError
from deepfake.storage import DataRoot
from deepfake.types import Split

__all__ = ["benchmarks_in", "refuse_benchmarks"]

_LEARNT_FROM = (str(Split.TRAIN), str(Split.VAL))
_MAX_NAMED = 5
_CLIP_OF = r"(?:^|/)group:(.+)$"
_MEDIUM = r"media:([0-9a-f]{64})"


def refuse_benchmarks(snapshots: Sequence[Snapshot]) -> None:
    """Check that no frozen benchmark of their data roots stands in `train` or `val` of snapshots.

    A benchmark's media and groups are its own under every name, as are clips that were made of
    them, and whatever stands in one group with them now.

    Args:
        snapshots: What is about to be learnt from.

    Raises:
        SplitLeakageError: Names the benchmark, and groups of it.
    """
    for snapshot in snapshots:
        benchmarks = list_benchmarks(DataRoot(snapshot.corpus_dir.parent.parent))
        if not benchmarks:
            continue
        files = snapshot.index()[["uri", "media_id", "group", "split"]].drop_duplicates()
        for benchmark in benchmarks:
            _refuse(benchmark, files, corpus=snapshot.corpus)


def benchmarks_in(root: DataRoot, files: pd.DataFrame) -> list[Benchmark]:
    """Return the benchmarks of a data root that files with a `media_id` belong to."""
    found = set(files["media_id"].dropna())
    return [b for b in list_benchmarks(root) if not found.isdisjoint(b.media_ids)]


def _refuse(benchmark: Benchmark, files: pd.DataFrame, *, corpus: str) -> None:
    names = files["group"].astype("string")
    is_reserved = files["media_id"].isin(benchmark.media_ids)
    groups = {*benchmark.groups, *names[is_reserved].dropna()}
    is_reserved |= names.isin(groups)
    is_reserved |= names.str.extract(_CLIP_OF, expand=False).isin(groups)
    is_reserved |= names.str.extract(_MEDIUM, expand=False).isin(benchmark.media_ids)
    taken = files[is_reserved.to_numpy(dtype=bool) & files["split"].isin(_LEARNT_FROM).to_numpy()]
    if taken.empty:
        return
    named = sorted(set(taken["group"].fillna("media:" + taken["media_id"])))
    more = ", ..." if len(named) > _MAX_NAMED else ""
    raise SplitLeakageError(
        f"{taken['media_id'].nunique()} media in train and val of {corpus} belong to the frozen "
        f"benchmark {benchmark.name!r}: {', '.join(named[:_MAX_NAMED])}{more}",
        hint="A benchmark is never learnt from: take these files out of the corpus, or train on "
        "another one.",
    )
