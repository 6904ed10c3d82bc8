"""What the early check takes for a corpus is what the flows take for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.corpora.dataset_names import reject_unknown_dataset
from deepfake.corpora.shards import is_ingested
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot, location_of


@pytest.mark.parametrize("name", ["small", "./small", "small/", "..", "nosuch"])
def test_early_check_and_flows_agree_on_what_a_corpus_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = DataRoot(location_of(str(tmp_path / "data")))
    latest = tmp_path / "data" / "shards" / "small" / "latest"
    latest.parent.mkdir(parents=True)
    latest.write_text("0123456789abcdef\n")
    (tmp_path / "a" / "empty").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "empty")
    is_known = is_ingested(root, name) or Path(name).is_dir()
    try:
        reject_unknown_dataset(name, data_root=str(tmp_path / "data"))
        is_taken = True
    except ConfigError:
        is_taken = False
    assert is_taken == is_known
