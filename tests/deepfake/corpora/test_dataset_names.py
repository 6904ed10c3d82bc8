"""What is taken for the name of a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.corpora.dataset_names import reject_unknown_dataset
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot, location_of


@pytest.mark.parametrize(
    ("name", "is_known"),
    [("small", True), ("./small", False), ("small/", False), ("..", True), ("nosuch", False)],
)
def test_a_corpus_has_a_name_and_a_folder_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_known: bool
) -> None:
    root = DataRoot(location_of(str(tmp_path / "data")))
    latest = tmp_path / "data" / "shards" / "small" / "latest"
    latest.parent.mkdir(parents=True)
    latest.write_text("0123456789abcdef\n")
    (tmp_path / "a" / "empty").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "empty")
    if is_known:
        reject_unknown_dataset(name, root=root)
    else:
        with pytest.raises(ConfigError, match="neither an ingested corpus"):
            reject_unknown_dataset(name, root=root)
