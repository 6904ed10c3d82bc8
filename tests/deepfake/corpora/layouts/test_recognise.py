"""A layout that is recognised is offered, never taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.corpora.layouts import recognise_layout, scan_corpus
from deepfake.errors import ConfigError, CorpusError


def _put(root: Path, name: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("faceforensics", "original_sequences/youtube/c23/videos/000.mp4"),
        ("faceforensics", "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"),
        ("celebdf", "Celeb-real/id0_0000.mp4"),
        ("celebdf", "Celeb-synthesis/id0_id1_0000.mp4"),
        ("dfdc", "metadata.json"),
        ("dfdc", "dfdc_train_part_0/metadata.json"),
    ],
)
def test_a_corpus_of_another_layout_is_not_ingested_without_labels(
    tmp_path: Path, layout: str, name: str
) -> None:
    _put(tmp_path, name)
    assert recognise_layout(tmp_path) == layout
    with pytest.raises(ConfigError, match="finds no label here") as raised:
        scan_corpus(tmp_path, corpus="c", layout="folder")
    assert f"--layout {layout}" in (raised.value.hint or "")


def test_labels_of_its_folders_win_and_a_plain_folder_is_ingested(tmp_path: Path) -> None:
    _put(tmp_path, "metadata.json")
    _put(tmp_path, "real/a.png")
    assert len(scan_corpus(tmp_path, corpus="c", layout="folder")) == 2
    _put(tmp_path / "plain", "a.png")
    assert recognise_layout(tmp_path / "plain") is None
    assert len(scan_corpus(tmp_path / "plain", corpus="c", layout="folder")) == 1


def test_a_csv_is_offered_its_layout(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("uri,label\na.png,real\n")
    with pytest.raises(ConfigError, match="finds no label here") as raised:
        scan_corpus(tmp_path / "list.csv", corpus="c", layout="folder")
    assert "--layout csv" in (raised.value.hint or "")


def test_where_the_wrong_layout_is_named_the_right_one_is_offered(tmp_path: Path) -> None:
    _put(tmp_path, "Celeb-real/id0_0000.mp4")
    with pytest.raises(CorpusError) as raised:
        scan_corpus(tmp_path, corpus="c", layout="faceforensics")
    assert "--layout celebdf" in (raised.value.hint or "")
