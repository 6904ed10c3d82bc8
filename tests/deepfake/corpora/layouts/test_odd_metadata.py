"""No date of a file ends a run, and lists that name nothing are no success."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.layouts.label_hint import label_hint
from deepfake.corpora.layouts.walk import row_of_path
from deepfake.errors import CorpusError
from deepfake.storage import stat_medium
from deepfake.storage.stores import _stat_of

_YEAR_SECONDS = 31_556_952
DATES = {year: (year - 1970) * _YEAR_SECONDS for year in (1601, 1903, 1969, 2040, 2263, 2400, 2446)}


@pytest.mark.parametrize("year", DATES)
def test_a_date_of_any_year_can_be_stored(tmp_path: Path, year: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    os.utime(path, (DATES[year], DATES[year]))
    row = row_of_path(path, corpus="c")
    assert stat_medium(row.uri) == (1, row.mtime_ns)
    with sqlite3.connect(":memory:") as database:
        assert database.execute("SELECT ?", (row.mtime_ns,)).fetchone() == (row.mtime_ns,)
    assert pa.array([row.mtime_ns], pa.int64())[0].as_py() == row.mtime_ns


@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59+00:00", "0001-01-01", "no date", 1e300, float("nan"), -1e30, None]
)
def test_a_date_of_a_store_can_be_stored(time: object) -> None:
    mtime_ns = _stat_of({"size": 1, "LastModified": time}).mtime_ns
    assert mtime_ns is None or -(2**63) <= mtime_ns < 2**63


def test_a_list_of_which_no_file_is_there_is_an_error(tmp_path: Path) -> None:
    listed = tmp_path / "l.csv"
    listed.write_text("uri,label\nreal\\1.jpg,real\nfake\\1.jpg,fake\n")
    with pytest.raises(CorpusError, match="none of the 2 files") as error:
        scan_corpus(listed, corpus="c", layout="csv")
    assert "backslashes" in str(error.value.hint)
    listed.write_text("uri,label\nreal/1.jpg,real\n")
    with pytest.raises(CorpusError, match="none of the 1 files") as error:
        scan_corpus(listed, corpus="c", layout="csv")
    assert "backslashes" not in str(error.value.hint)


def test_a_list_of_which_some_files_are_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"x")
    listed = tmp_path / "l.csv"
    listed.write_text("uri,label\n1.jpg,real\n2.jpg,fake\n")
    assert len(scan_corpus(listed, corpus="c", layout="csv")) == 2


@pytest.mark.parametrize("names", [("training_fake", "training_real"), ("0_real", "1_fake")])
def test_files_without_labels_get_a_hint_that_names_their_folders(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"x")
    rows = scan_corpus(tmp_path, corpus="c", layout="folder")
    hint = label_hint(rows)
    assert hint is not None
    assert all(name in hint for name in names)
    assert all(row.label is None for row in rows)


def test_files_with_labels_get_no_hint(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.jpg").write_bytes(b"x")
    assert label_hint(scan_corpus(tmp_path, corpus="c", layout="folder")) is None
    assert label_hint([]) is None
