"""A snapshot in an object store equals the local one and is read through local copies."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake.corpora.shards import CropReader, Snapshot, list_shards, open_snapshot, read_shard
from deepfake.corpora.shards.snapshots import set_latest
from deepfake.errors import ShardError
from deepfake.storage import DataRoot, StorePath
from deepfake.training.data import collect_crops

_CORPUS = "synthetic"

Pair = tuple[Snapshot, Snapshot]


@pytest.fixture
def files(file_plan: Callable[..., Sequence[Any]]) -> Sequence[Any]:
    return file_plan({"train": 4, "val": 2}, num_crops=3)


@pytest.fixture
def pair(
    corpus_writer: Callable[..., Snapshot],
    files: Sequence[Any],
    bucket: StorePath,
    tmp_path: Path,
) -> Pair:
    """Return one corpus, here and in a store."""
    return tuple(  # type: ignore[return-value]
        corpus_writer(root, files, corpus=_CORPUS) for root in (tmp_path / "data", bucket / "data")
    )


def _only_shard(there: Snapshot) -> StorePath:
    (shard,) = there.corpus_dir.glob("parts/*.arrow")
    assert isinstance(shard, StorePath)
    return shard


def test_a_snapshot_is_the_same_here_and_there(pair: Pair, bucket: StorePath) -> None:
    here, there = pair
    set_latest(there.corpus_dir, there.digest)
    opened = open_snapshot(DataRoot(bucket / "data"), _CORPUS)
    assert opened == there
    pd.testing.assert_frame_equal(opened.index(), here.index())
    pd.testing.assert_frame_equal(opened.outcomes(), here.outcomes())
    assert opened.description() == here.description()
    assert opened.missing_shards() == []
    assert list_shards(there.corpus_dir) == list_shards(here.corpus_dir)
    key = _only_shard(there).name.removesuffix(".arrow")
    assert read_shard(there.corpus_dir, key) == read_shard(here.corpus_dir, key)


def test_crops_are_read_through_a_copy(pair: Pair, cache: Path) -> None:
    here, there = pair
    reader = pickle.loads(pickle.dumps(there.reader()))
    for shard, row in here.index()[["shard", "row"]].itertuples(index=False):
        assert reader.encoded(shard, row) == here.reader().encoded(shard, row)
    assert len([path for path in (cache / "copies").rglob("*") if path.is_file()]) == 2


def test_a_data_set_knows_the_digests_of_its_shards(pair: Pair, cache: Path) -> None:
    from deepfake.training.data.crops import readers_of

    _, there = pair
    crops = collect_crops([there])
    (reader,) = readers_of(crops).values()
    shard = _only_shard(there)
    assert dict(reader.digests) == {shard.name: crops["shard_sha256"][0]}
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(ShardError, match="was changed since it was written"):
        reader.encoded(shard.name, 0)


def test_a_shard_that_was_put_over_or_lost_is_made_again(pair: Pair) -> None:
    _, there = pair
    shard = _only_shard(there)
    key, content = shard.name.removesuffix(".arrow"), shard.read_bytes()
    shard.write_bytes(content[:-1])
    assert read_shard(there.corpus_dir, key) is None
    assert there.missing_shards() == [shard.name]
    shard.unlink()
    assert read_shard(there.corpus_dir, key) is None
    assert there.missing_shards() == [shard.name]
    assert list(list_shards(there.corpus_dir)) == [key], "it is rebuilt with the same neighbours"
    with pytest.raises(ShardError):
        there.reader().encoded(shard.name, 0)


def test_no_more_shards_are_open_than_may_lie_here(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, there = pair
    shard = _only_shard(there)
    for number in range(3):
        shard.copy_to(shard.with_name(f"{number:016x}.arrow"))
    one = len(shard.read_bytes())
    monkeypatch.setenv("DEEPFAKE_CACHE_GIB", str(2 * one / 2**30))
    reader = CropReader(there.corpus_dir)
    first = bytes(reader.encoded(f"{0:016x}.arrow", 0))
    for number in (1, 2, 0):
        assert bytes(reader.encoded(f"{number:016x}.arrow", 0)) == first
        assert len(reader._columns) <= 2


def test_a_view_of_a_crop_outlives_its_shard(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    _, there = pair
    shard = _only_shard(there)
    other = shard.with_name(f"{1:016x}.arrow")
    shard.copy_to(other)
    monkeypatch.setenv("DEEPFAKE_CACHE_GIB", "0")
    reader = there.reader()
    view = reader.encoded(shard.name, 0)
    before = bytes(view)
    reader.encoded(other.name, 0)
    assert list(reader._columns) == [other.name]
    assert bytes(view) == before
    assert np.frombuffer(view, np.uint8)[0] == before[0]
