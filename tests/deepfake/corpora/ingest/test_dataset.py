"""A data set as `--dataset` names it; nothing is decoded to resolve it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deepfake.corpora.ingest.dataset import resolve_dataset
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest import write_manifest
from deepfake.corpora.shards import open_snapshot
from deepfake.errors import ConfigError, ShardError
from deepfake.storage import DataRoot
from tests.media_factory import write_byte_files


class _IngestCalledError(Exception):
    """Says under which name a folder would have been ingested."""


def _ingest(_folder: Path, corpus: str) -> dict[str, Any]:
    raise _IngestCalledError(corpus)


def _name_of(folder: Path, root: DataRoot) -> str:
    with pytest.raises(_IngestCalledError) as raised:
        resolve_dataset(str(folder), data_root=str(root.path), ingest=_ingest)
    return str(raised.value)


def test_folder_is_ingested_under_its_own_name_and_again_under_it(
    tmp_path: Path, root: DataRoot
) -> None:
    folder = write_byte_files(tmp_path / "set", "real/a.png", "fake/b.png")
    assert _name_of(folder, root) == "set"
    write_manifest(root.manifest("set"), scan_corpus(folder, corpus="set", layout="folder"))
    write_byte_files(folder, "real/c.png")
    assert _name_of(folder, root) == "set"


def test_folder_does_not_take_the_name_of_another_corpus(tmp_path: Path, root: DataRoot) -> None:
    first = write_byte_files(tmp_path / "one" / "set", "real/a.png", "fake/b.png")
    second = write_byte_files(tmp_path / "two" / "set", "real/a.png", "fake/b.png")
    write_manifest(root.manifest("set"), scan_corpus(first, corpus="set", layout="folder"))
    name = _name_of(second, root)
    assert name.startswith("set-") and name == _name_of(second, root)


def test_folder_ingested_by_a_layout_that_knows_more_keeps_what_it_knows(
    tmp_path: Path, root: DataRoot
) -> None:
    folder = write_byte_files(tmp_path / "set", "real/a.png", "fake/b.png")
    table = write_byte_files(tmp_path, "list.csv") / "list.csv"
    table.write_text("uri,label,identity\nset/real/a.png,real,ann\nset/fake/b.png,fake,bob\n")
    write_manifest(root.manifest("set"), scan_corpus(table, corpus="set", layout="csv"))
    assert _name_of(folder, root).startswith("set-")


def test_folder_without_labels_is_refused_before_anything_is_decoded(
    tmp_path: Path, root: DataRoot
) -> None:
    folder = write_byte_files(tmp_path / "set", "unreal/a.png")
    with pytest.raises(ConfigError, match="no folder named real or fake"):
        resolve_dataset(str(folder), data_root=str(root.path), ingest=_ingest)
    with pytest.raises(ConfigError, match="neither an ingested corpus"):
        resolve_dataset("absent", data_root=str(root.path), ingest=_ingest)


def _ingested(root: DataRoot, corpus: str) -> None:
    """Let a corpus look as if it was ingested, with nothing in it."""
    folder = Path(str(root.corpus_shards(corpus)))
    (folder / ("0" * 16)).mkdir(parents=True)
    (folder / ("0" * 16) / "index.parquet").touch()
    (folder / "latest").write_text("0" * 16)


@pytest.mark.parametrize("written", ["./set", "set/", "../here/set"])
def test_a_path_means_the_folder_and_a_name_the_corpus(
    written: str, tmp_path: Path, root: DataRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_byte_files(tmp_path / "here" / "set", "real/a.png", "fake/b.png")
    monkeypatch.chdir(tmp_path / "here")
    _ingested(root, "set")
    write_manifest(root.manifest("set"), scan_corpus(folder, corpus="set", layout="folder"))
    snapshot, notes = resolve_dataset("set", data_root=str(root.path), ingest=_ingest)
    assert snapshot.corpus == "set"
    assert "write ./set to mean it" in notes[1]
    with pytest.raises(_IngestCalledError, match=r"^set$"):
        resolve_dataset(written, data_root=str(root.path), ingest=_ingest)
    with pytest.raises(ShardError, match="no corpus"):
        open_snapshot(root, written)
