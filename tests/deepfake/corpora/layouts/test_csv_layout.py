"""The layout `csv`, and files with the same content and different labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.corpora.layouts import check_contradictions, scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.types import Label, Split, Status


def scan(folder: Path, text: str) -> list[ManifestRow]:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return scan_corpus(path, corpus="c", layout="csv")


def test_all_columns_arrive(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    header = "uri,label,split,group,method,identity,source_id,target_id,compression"
    lines = ["a.mp4,FAKE,valid,g1,swap,p1,p2,p3,c40", f"{tmp_path}/gone.mp4,,,,,,,,"]
    found, gone = scan(tmp_path, "\ufeff" + "\n".join([header, *lines]))
    assert (found.uri, found.label, found.split) == (f"{tmp_path}/a.mp4", Label.FAKE, Split.VAL)
    assert (found.group, found.method, found.compression) == ("g1", "swap", "c40")
    assert (found.identity, found.source_id, found.target_id) == ("p1", "p2", "p3")
    assert (gone.label, gone.split, gone.group, gone.status) == (None, None, None, Status.MISSING)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("uri,label\na.mp4,real\nb.mp4,1\n", r"line 3: expected the label .* got '1'"),
        ("uri,label\na.mp4,unreal\n", "line 2: expected the label"),
        ("uri,label,split\na.mp4,real,dev\n", "line 2: expected the split"),
        ("uri,label\na.mp4,real\n./a.mp4,real\n", "line 3: ./a.mp4 is already in line 2"),
        ("uri,label\n,real\n", "line 2: expected the path"),
        ("uri,label\ns3://bucket/a.mp4,real\n", "line 2: expected the path"),
        ("uri,label\na.mp4\n", "line 2: expected 2 cells"),
        ("uri,label\na.mp4,real,more\n", "line 2: expected 2 cells"),
        ("uri,label,grp\na.mp4,real,g\n", "found uri, label, grp"),
        ("path,label\na.mp4,real\n", "expected the columns uri, label"),
        ("uri,label\n", "no rows"),
        ("", "found none"),
        ('uri,label\n"a.mp4,real\n', "not a CSV"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_line(
    tmp_path: Path, text: str, match: str
) -> None:
    with pytest.raises(CorpusError, match=match):
        scan(tmp_path, text)


def test_a_folder_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="expects a CSV file"):
        scan_corpus(tmp_path, corpus="c", layout="csv")
    (tmp_path / "latin.csv").write_bytes("uri,label\nä.mp4,real\n".encode("latin-1"))
    with pytest.raises(CorpusError, match="UTF-8"):
        scan_corpus(tmp_path / "latin.csv", corpus="c", layout="csv")


def row(uri: str, media_id: str | None, label: Label | None, size: int = 9) -> ManifestRow:
    return ManifestRow(uri, "c", media_id=media_id, label=label, size_bytes=size)


def test_one_content_under_two_labels_is_an_error_in_both_rows() -> None:
    rows = [
        row("/a", "1", Label.REAL),
        row("/b", "1", Label.FAKE),
        row("/c", "1", None),
        row("/d", "2", Label.REAL),
        row("/e", "2", Label.REAL),
        row("/f", None, Label.REAL),
        row("/g", None, Label.FAKE),
        row("/h", "0", Label.REAL, size=0),
        row("/i", "0", Label.FAKE, size=0),
    ]
    checked = check_contradictions(rows)
    assert [r.uri for r in checked if r.status is Status.ERROR] == ["/a", "/b"]
    assert "/b" in (checked[0].message or "") and "/a" in (checked[1].message or "")
    assert checked[2:] == rows[2:]
    assert all(r.status is Status.OK for r in rows)
