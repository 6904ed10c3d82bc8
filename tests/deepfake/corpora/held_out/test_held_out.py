"""Held-out sets never change, their uses are counted, and they are never trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepfake.config import TrainConfig
from deepfake.corpora.held_out import (
    count_uses,
    freeze_held_out_set,
    held_out_sets_in,
    list_held_out_sets,
    open_held_out_set,
    read_held_out_set,
    record_use,
    reject_held_out_media,
)
from deepfake.corpora.shards import Snapshot
from deepfake.errors import ConfigError, DataError, SplitLeakageError
from deepfake.storage import DataRoot, location_of, read_json, write_json
from deepfake.training import train_detector
from deepfake.training.calibrate import calibrate_bundle
from tests.sample_data import make_detector

Write = Callable[..., Snapshot]
_COUNTS = {"train": 4, "val": 4, "test": 4}


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    return DataRoot(tmp_path)


@pytest.fixture
def snapshot(tmp_path: Path, corpus_writer: Write, file_plan: Any) -> Snapshot:
    files = [replace(f, group=f"synthetic/identity:{f.name}") for f in file_plan(_COUNTS)]
    return corpus_writer(tmp_path, files)


def test_a_held_out_set_is_what_it_was_when_the_corpus_grows(
    root: DataRoot, snapshot: Snapshot, corpus_writer: Write, file_plan: Any
) -> None:
    frozen = freeze_held_out_set(root, "held-out", snapshot=snapshot)
    assert (frozen.num_media, len(frozen.groups), frozen.split) == (8, 8, "test")
    corpus_writer(root.path, file_plan({**_COUNTS, "test": 9}))
    part = open_held_out_set(root, read_held_out_set(root, "held-out"))
    assert part.snapshot.digest == snapshot.digest
    assert sorted(part.outcomes["media_id"]) == list(frozen.media_ids)
    assert set(part.index["split"]) == {"test"}
    assert part.notes == ()
    assert list_held_out_sets(root) == [frozen]


def test_a_name_stands_for_one_held_out_set(root: DataRoot, snapshot: Snapshot) -> None:
    freeze_held_out_set(root, "held-out", snapshot=snapshot)
    with pytest.raises(ConfigError, match="already"):
        freeze_held_out_set(root, "held-out", snapshot=snapshot, split="all")
    for name in ("../held-out", "a b", ""):
        with pytest.raises(ConfigError, match="cannot name a held-out set"):
            freeze_held_out_set(root, name, snapshot=snapshot)
    with pytest.raises(ConfigError, match=r"no held-out set 'other' \(there are: held-out\)"):
        read_held_out_set(root, "other")


def test_a_held_out_set_needs_both_classes(
    root: DataRoot, corpus_writer: Write, crop_file: Any
) -> None:
    files = [crop_file(f"{i}.png", "fake", "test") for i in range(3)]
    with pytest.raises(DataError, match=r"has \['fake'\] in 'test'"):
        freeze_held_out_set(root, "fakes", snapshot=corpus_writer(root.path, files))


def test_what_was_forgotten_is_gone_from_it_and_said(
    root: DataRoot, snapshot: Snapshot, corpus_writer: Write, file_plan: Any
) -> None:
    frozen = freeze_held_out_set(root, "held-out", snapshot=snapshot)
    left = frozen.model_copy(update={"media_ids": frozen.media_ids[1:]})
    write_json(root.held_out_sets / "held-out.json", left.model_dump(mode="json"))
    (snapshot.folder / "index.parquet").unlink()
    newest = corpus_writer(root.path, file_plan({**_COUNTS, "test": 5}))
    (newest.corpus_dir / "latest").write_text(newest.digest)
    part = open_held_out_set(root, read_held_out_set(root, "held-out"))
    assert len(part.outcomes) == 7
    assert part.notes == (
        f"its snapshot {snapshot.digest} is gone, {newest.digest} was read",
        "1 of its 8 media are gone",
    )


def test_looks_are_counted_and_the_same_look_is_one(root: DataRoot) -> None:
    assert count_uses(root, "held-out") == 0
    assert record_use(root, "held-out", detectors=("a", "b"), command="retrain") == 1
    assert record_use(root, "held-out", detectors=("b", "a"), command="retrain") == 1
    assert record_use(root, "held-out", detectors=("a",), command="evaluate") == 2
    assert record_use(root, "other", detectors=("a",), command="evaluate") == 1


def test_a_test_part_may_be_frozen_and_the_rest_learnt_from(
    root: DataRoot, snapshot: Snapshot
) -> None:
    freeze_held_out_set(root, "held-out", snapshot=snapshot)
    reject_held_out_media([snapshot])
    assert [b.name for b in held_out_sets_in(root, snapshot.outcomes())] == ["held-out"]


def test_media_and_groups_of_a_held_out_set_are_refused_under_any_name(
    root: DataRoot, snapshot: Snapshot, corpus_writer: Write, crop_file: Any
) -> None:
    frozen = freeze_held_out_set(root, "held-out", snapshot=snapshot)
    medium, group = frozen.media_ids[0], frozen.groups[0]
    good = [crop_file("r", "real", "train"), crop_file("f", "fake", "train")]
    # The content of a frozen file, under another corpus's name.
    copied = crop_file("copy", "real", "val", content="synthetic/test/real/0")
    same_group = crop_file("same", "real", "train", group=group)
    clip = crop_file("clip", "fake", "val", group=f"clips/val/group:{group}")
    clip_of_still = crop_file("clip2", "fake", "train", group=f"clips/group:media:{medium}")
    tested = crop_file("tested", "fake", "test", group=group)
    for number, bad in enumerate((copied, same_group, clip, clip_of_still)):
        offered = corpus_writer(root.path, [*good, bad], corpus=f"other-{number}")
        with pytest.raises(SplitLeakageError, match="'held-out'") as caught:
            reject_held_out_media([snapshot, offered])
        assert "1 media in train and val of other-" in caught.value.message
        assert (bad.group or "media:") in caught.value.message
    reject_held_out_media([corpus_writer(root.path, [*good, tested], corpus="fine")])


def test_whoever_joined_a_held_out_group_is_refused_too(
    root: DataRoot, snapshot: Snapshot, corpus_writer: Write, crop_file: Any
) -> None:
    freeze_held_out_set(root, "held-out", snapshot=snapshot)
    content = "synthetic/test/real/0"
    files = [
        crop_file("known", "real", "test", content=content, group="synthetic/identity:new-name"),
        crop_file("new", "real", "train", group="synthetic/identity:new-name"),
    ]
    with pytest.raises(SplitLeakageError, match="synthetic/identity:new-name"):
        reject_held_out_media([corpus_writer(root.path, files, corpus="moved")])


def test_training_and_calibrating_refuse_by_themselves(
    root: DataRoot, snapshot: Snapshot, tmp_path: Path
) -> None:
    freeze_held_out_set(root, "whole", snapshot=snapshot, split="all")
    with pytest.raises(SplitLeakageError, match="'whole'"):
        train_detector(
            snapshots=[snapshot], config=TrainConfig(), run_dir=tmp_path / "run", name="n"
        )
    assert not (tmp_path / "run").exists()
    detector = make_detector(tmp_path / "detector")
    with pytest.raises(SplitLeakageError, match="'whole'"):
        calibrate_bundle(detector, snapshots=[snapshot], output=tmp_path / "out")


def test_a_damaged_held_out_set_is_not_passed_over(root: DataRoot, snapshot: Snapshot) -> None:
    freeze_held_out_set(root, "held-out", snapshot=snapshot)
    path = root.held_out_sets / "held-out.json"
    write_json(path, {**read_json(path), "schema_version": 9})
    with pytest.raises(DataError, match="not a held-out set of this version"):
        reject_held_out_media([snapshot])


def test_a_held_out_set_of_a_store(bucket: Any, snapshot: Snapshot) -> None:
    there = DataRoot(location_of(str(bucket)))
    frozen = freeze_held_out_set(there, "held-out", snapshot=snapshot)
    assert read_held_out_set(there, "held-out") == frozen == list_held_out_sets(there)[0]
    assert record_use(there, "held-out", detectors=("a",), command="evaluate") == 1
