"""A name stands for one corpus: another one does not take its place unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.corpora.ingest import reject_another_corpus
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest import write_manifest
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot
from tests.media_factory import write_byte_files


def _ingest(root: DataRoot, place: Path, *, layout: str = "folder") -> None:
    reject_another_corpus(root, "c", place, layout=layout)
    write_manifest(root.manifest("c"), scan_corpus(place, corpus="c", layout=layout))


def test_a_corpus_may_grow_and_lose_all_that_it_had(tmp_path: Path, root: DataRoot) -> None:
    folder = write_byte_files(tmp_path / "one", "real/a.png", "fake/b.png")
    _ingest(root, folder)
    write_byte_files(folder, "real/c.png")
    _ingest(root, folder)
    for path in folder.glob("*/*"):
        path.unlink()
    write_byte_files(folder, "real/d.png")
    _ingest(root, folder)


def test_another_folder_is_refused(tmp_path: Path, root: DataRoot) -> None:
    _ingest(root, write_byte_files(tmp_path / "one", "real/a.png", "fake/b.png"))
    other = write_byte_files(tmp_path / "one-more", "real/a.png", "fake/b.png")
    with pytest.raises(
        ConfigError, match="there is a corpus 'c' already, of other files"
    ) as raised:
        _ingest(root, other)
    assert "--replace" in (raised.value.hint or "")
    assert str(tmp_path / "one" / "fake" / "b.png") in str(raised.value)


def test_a_list_is_the_same_corpus_if_it_shares_a_file(tmp_path: Path, root: DataRoot) -> None:
    _ingest(root, write_byte_files(tmp_path / "one", "real/a.png", "fake/b.png"))
    table = tmp_path / "list.csv"
    table.write_text("uri,label\none/real/a.png,real\n")
    _ingest(root, table, layout="csv")
    write_byte_files(tmp_path / "elsewhere", "a.png")
    table.write_text("uri,label\nelsewhere/a.png,real\n")
    with pytest.raises(ConfigError, match="already, of other files"):
        _ingest(root, table, layout="csv")
