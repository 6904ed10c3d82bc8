"""Some media out of a file: theirs goes, what is others' stays to the byte."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from deepfake.errors import DataError
from deepfake.forgetting.media_to_forget import FORGOTTEN, MediaToForget
from deepfake.forgetting.scrub import (
    scrub_csv,
    scrub_json,
    scrub_lines,
    scrub_table,
    scrub_text,
)

_ID, _OTHER = "a" * 64, "b" * 64
_URI = "/media/anna (1).mp4"
_MEDIA = MediaToForget(
    frozenset({_ID}), frozenset({_URI, "/media/copy.mp4"}), {f"c/media:{_ID}": "c/media:x"}
)

_ROWS = [
    {"uri": _URI, "media_id": _ID, "group": f"c/media:{_ID}", "x": 1},
    {"uri": "/media/other.mp4", "media_id": _OTHER, "group": f"c/media:{_ID}", "x": 2},
    {"uri": "/media/copy.mp4", "media_id": None, "group": None, "x": 3},
    {"uri": "/media/copy.mp4", "media_id": _OTHER, "group": "c/y", "x": 4},
    {"uri": "/media/unread.mp4", "media_id": None, "group": None, "x": 5},
]


def test_rows_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "files.parquet"
    pd.DataFrame(_ROWS).to_parquet(path)
    before = path.read_bytes()
    assert scrub_table(path, _MEDIA, is_dry_run=True) == 3
    assert path.read_bytes() == before
    schema = pq.read_schema(path)
    assert scrub_table(path, _MEDIA) == 3
    left = pd.read_parquet(path)
    assert left["x"].tolist() == [2, 4, 5], "a name that has another content now is another's"
    assert left["group"].fillna("none").tolist() == ["c/media:x", "c/y", "none"]
    assert pq.read_schema(path).equals(schema, check_metadata=True)
    assert scrub_table(path, _MEDIA) == 0


def test_a_table_of_others_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "files.parquet"
    pd.DataFrame({"x": [1], "uri": ["/media/other.mp4"]}).to_parquet(path)
    before = path.stat().st_mtime_ns
    assert scrub_table(path, _MEDIA) == 0
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"PAR1 broken")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        scrub_table(path, _MEDIA)
    pd.DataFrame({"media_id": ["m"]}).to_parquet(path)
    path.write_bytes(path.read_bytes().replace(b"media_id", b"\x95" * 8))
    with pytest.raises(DataError, match="not a readable Parquet file"):
        scrub_table(path, _MEDIA)


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "files.csv"
    rows = [["n", "uri", "media_id", "group"]]
    rows += [[str(r["x"]), str(r["uri"]), str(r["media_id"] or ""), str(r["group"])] for r in _ROWS]
    rows[-1][0] = 'two\nlines, and "quotes"'
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    assert scrub_csv(path, _MEDIA, is_dry_run=True) == scrub_csv(path, _MEDIA) == 3
    with path.open(newline="") as stream:
        header, *left = csv.reader(stream)
    assert header == rows[0]
    assert [row[0] for row in left] == ["2", "4", 'two\nlines, and "quotes"']
    assert left[0][3] == "c/media:x"


def test_lines_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [
        json.dumps({"media_id": _ID, "uri": "/elsewhere"}),
        json.dumps({"media_id": None, "uri": _URI}),
        json.dumps({"media_id": _OTHER, "uri": "/media/other.mp4"}),
        json.dumps({"event": "run ended", "message": f"could not read {_URI}"}),
        f'{{"media_id": "{_ID}", "cut sho',
        '{"media_id": "ccc", "cut sho',
    ]
    path.write_text("\n".join(lines) + "\n")
    assert scrub_lines(path, _MEDIA) == 4
    assert path.read_text().splitlines() == [lines[2], lines[5]]


def test_objects_and_texts_of_json(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report = {
        "worst": [{"uri": _URI, "media_id": _ID}, {"uri": "/media/other.mp4"}],
        "files": [_URI, "/media/other.mp4"],
        "by_file": {_URI: 1, "/media/other.mp4": 2},
        "note": f"see {_URI}, and /media/anna (1).mp4.bak or /media/copy.mp4x",
        "first": _ID,
        "group": f"c/media:{_ID}",
        "auc": 0.9,
    }
    path.write_text(json.dumps(report))
    assert scrub_json(path, _MEDIA) == 1
    assert json.loads(path.read_text()) == {
        "worst": [{"uri": "/media/other.mp4"}],
        "files": ["/media/other.mp4"],
        "by_file": {"/media/other.mp4": 2},
        "note": f"see {FORGOTTEN}, and /media/anna (1).mp4.bak or /media/copy.mp4x",
        "first": FORGOTTEN,
        "group": "c/media:x",
        "auc": 0.9,
    }
    assert scrub_json(path, _MEDIA) == 0


def test_names_in_a_text(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(b"- /media/copy.mp4: wrong\n- /media/copy.mp4.txt, x/media/copy.mp4 \xff\n")
    assert scrub_text(path, _MEDIA) == 1
    assert path.read_bytes() == (
        b"- (forgotten): wrong\n- /media/copy.mp4.txt, x/media/copy.mp4 \xff\n"
    )


def test_nobody_includes_an_empty_subject(tmp_path: Path) -> None:
    nobody = MediaToForget(frozenset(), frozenset())
    path = tmp_path / "summary.md"
    path.write_text("text")
    assert scrub_text(path, nobody) == 0
    assert not nobody.includes(None, None)
    assert not nobody.includes([1], {})
