"""What trains, what chooses, what calibrates; nothing in two of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake.config import CropConfig, ExtractConfig
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.errors import ConfigError, DataError, SplitLeakageError
from deepfake.storage import write_json
from deepfake.training.crop_selection import select_crops

Writer = Callable[..., Snapshot]


def test_val_is_halved_by_group(tmp_path: Path, corpus_writer: Writer, crop_file: Any) -> None:
    files = [
        crop_file(f"{split}/{label}/{i}", label, split, group=f"{split}{i // 2}", num_crops=2)
        for split, count in {"train": 4, "val": 60, "test": 4}.items()
        for label in ("real", "fake")
        for i in range(count)
    ]
    selection = select_crops([corpus_writer(tmp_path, files)])
    choose, calibrate = (set(t["group"]) for t in (selection.choose, selection.calibrate))
    assert set(selection.train["split"]) == {"train"}
    assert not choose & calibrate
    assert len(choose | calibrate) == 30
    assert min(len(choose), len(calibrate)) >= 8
    assert len(selection.choose) + len(selection.calibrate) == 60 * 2 * 2


def test_nothing_is_chosen_by_the_test_part(
    tmp_path: Path, corpus_writer: Writer, file_plan: Any, crop_file: Any
) -> None:
    # The field's own code picks checkpoint and threshold on the set that it reports.
    learned = file_plan({"train": 3, "val": 12})
    tested = [crop_file(f"test/{i}", "fake", "test") for i in range(4)]
    without = select_crops([corpus_writer(tmp_path / "without", learned)])
    beside = select_crops([corpus_writer(tmp_path / "beside", [*learned, *tested])])
    for part in ("train", "choose", "calibrate"):
        found, expected = getattr(beside, part), getattr(without, part)
        assert sorted(found["uri"]) == sorted(expected["uri"]), part
        assert "test" not in set(found["split"])


def test_half_of_a_group_does_not_depend_on_the_others() -> None:
    few, many = ["a", "b", "c"], [chr(97 + i) for i in range(26)]
    assert halve_by_group(few).tolist() == halve_by_group(many)[:3].tolist()


def test_leak_between_splits_is_refused_and_named(
    tmp_path: Path, corpus_writer: Writer, file_plan: Any, crop_file: Any
) -> None:
    twice = [
        crop_file("one", "real", "train", group="same"),
        crop_file("two", "real", "test", group="same"),
    ]
    snapshot = corpus_writer(tmp_path, [*file_plan({"train": 2, "val": 2}), *twice])
    with pytest.raises(SplitLeakageError, match="test and train"):
        select_crops([snapshot])


def test_leak_between_corpora_is_refused(
    tmp_path: Path, corpus_writer: Writer, file_plan: Any, crop_file: Any
) -> None:
    parts = [
        corpus_writer(
            tmp_path,
            [*file_plan({"train": 2}), crop_file("copy", "real", split, content="same")],
            corpus=split,
        )
        for split in ("train", "val")
    ]
    with pytest.raises(SplitLeakageError, match="medium"):
        select_crops(parts)


def test_unlabelled_and_unsplit_crops_train_nothing(
    tmp_path: Path, corpus_writer: Writer, file_plan: Any, crop_file: Any
) -> None:
    others = [crop_file("a", None, "train"), crop_file("b", "real", None)]
    selection = select_crops([corpus_writer(tmp_path, [*file_plan({"train": 3}), *others])])
    assert len(selection.train) == 6
    assert selection.choose.empty
    assert selection.calibrate.empty


def test_training_on_one_class_is_refused(
    tmp_path: Path, corpus_writer: Writer, crop_file: Any
) -> None:
    files = [crop_file(f"{i}", "fake", "train") for i in range(3)]
    with pytest.raises(DataError, match="both classes"):
        select_crops([corpus_writer(tmp_path, files)])


def test_no_snapshot_and_a_corpus_twice_are_refused(
    tmp_path: Path, corpus_writer: Writer, file_plan: Any
) -> None:
    snapshot = corpus_writer(tmp_path, file_plan({"train": 2}))
    with pytest.raises(ConfigError, match="at least one"):
        select_crops([])
    with pytest.raises(ConfigError, match="twice"):
        select_crops([snapshot, snapshot])


def test_corpora_of_different_settings_are_refused(
    tmp_path: Path, corpus_writer: Writer, file_plan: Any
) -> None:
    first = corpus_writer(tmp_path, file_plan({"train": 2}), corpus="first")
    second = corpus_writer(tmp_path, file_plan({"train": 2}), corpus="second")
    assert len(select_crops([first, second]).train) == 8
    other = ExtractConfig(crop=CropConfig(size=64, margin=1.5))
    write_json(second.folder / "snapshot.json", {"config": other.model_dump(mode="json")})
    with pytest.raises(ConfigError, match="'crop'"):
        select_crops([first, second])
