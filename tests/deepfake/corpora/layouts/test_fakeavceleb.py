"""FakeAVCeleb: what is fake in a file depends on whether its picture or its sound is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.config import Modality, SplitConfig
from deepfake.corpora.layouts import recognise_layout, scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import assign_splits
from deepfake.errors import CorpusError
from deepfake.types import Label, Split, Status

_FILES = (
    "RealVideo-RealAudio/African/men/id00076/00109.mp4",
    "RealVideo-FakeAudio/African/men/id00076/00109_fake.mp4",
    "FakeVideo-RealAudio/Asian (East)/women/id03940/00025_id00597_wavtolip.mp4",
    "FakeVideo-FakeAudio/African/men/id01170/00021_id01933_I5XXxgK7QpE_id00781_wavtolip.mp4",
)
_METADATA = (
    "source,target1,target2,method,category,type,race,gender,path,\n"
    "id00076,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4,"
    "FakeAVCeleb/RealVideo-RealAudio/African/men/id00076\n"
    "id00076,-,-,rtvc,B,RealVideo-FakeAudio,African,men,00109_fake.mp4,"
    "FakeAVCeleb/RealVideo-FakeAudio/African/men/id00076\n"
    "id01170,id01933,id00781,faceswap-wav2lip,D,FakeVideo-FakeAudio,African,men,"
    "00021_id01933_I5XXxgK7QpE_id00781_wavtolip.mp4,FakeAVCeleb/FakeVideo-FakeAudio/x\n"
    "id01170,id01933,id00781,wav2lip,D,FakeVideo-FakeAudio,African,men,"
    "00021_id01933_I5XXxgK7QpE_id00781_wavtolip.mp4,FakeAVCeleb/FakeVideo-FakeAudio/x\n"
)


def _tree(root: Path, *files: str, metadata: str | None = None) -> Path:
    for name in files or _FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    if metadata is not None:
        (root / "meta_data.csv").write_text(metadata)
    return root


def _scan(root: Path, modality: Modality = "faces") -> dict[str, ManifestRow]:
    rows = scan_corpus(root, corpus="c", layout="fakeavceleb", modality=modality)
    return {Path(row.uri).relative_to(root).parts[0]: row for row in rows}


@pytest.mark.parametrize(
    ("modality", "fakes"),
    [
        ("faces", {"FakeVideo-RealAudio", "FakeVideo-FakeAudio"}),
        ("voice", {"RealVideo-FakeAudio", "FakeVideo-FakeAudio"}),
        ("sync", {"FakeVideo-RealAudio", "RealVideo-FakeAudio", "FakeVideo-FakeAudio"}),
    ],
)
def test_the_label_is_that_of_what_is_looked_at(
    tmp_path: Path, modality: Modality, fakes: set[str]
) -> None:
    rows = _scan(_tree(tmp_path), modality)
    assert {name for name, row in rows.items() if row.label is Label.FAKE} == fakes
    assert {row.method for row in rows.values()} == {"original", *fakes}
    assert len(rows) == 4
    assert all(row.status is Status.OK and row.split is None for row in rows.values())
    assert recognise_layout(tmp_path) == "fakeavceleb"


def test_faces_are_what_is_looked_at_where_nothing_is_said(tmp_path: Path) -> None:
    rows = scan_corpus(_tree(tmp_path), corpus="c", layout="fakeavceleb")
    assert {row.uri: row.label for row in rows} == {
        row.uri: row.label for row in _scan(tmp_path, "faces").values()
    }


def test_people_are_of_folder_and_name(tmp_path: Path) -> None:
    found = {
        name: (row.identity, row.target_id, row.source_id, row.original)
        for name, row in _scan(_tree(tmp_path)).items()
    }
    assert found == {
        "RealVideo-RealAudio": ("id00076", None, None, "id00076/00109"),
        "RealVideo-FakeAudio": ("id00076", None, None, "id00076/00109"),
        "FakeVideo-RealAudio": ("id03940", "id00597", "id03940", "id03940/00025"),
        "FakeVideo-FakeAudio": ("id01170", "id01933", "id00781", "id01170/00021"),
    }


def test_methods_are_of_the_metadata_where_it_names_the_file(tmp_path: Path) -> None:
    rows = _scan(_tree(tmp_path, metadata=_METADATA), "voice")
    assert {name: row.method for name, row in rows.items()} == {
        "RealVideo-RealAudio": "original",
        "RealVideo-FakeAudio": "rtvc",
        "FakeVideo-RealAudio": "original",
        "FakeVideo-FakeAudio": "faceswap-wav2lip",
    }
    assert _scan(tmp_path, "faces")["FakeVideo-RealAudio"].method == "FakeVideo-RealAudio"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("", "expected the columns type, source, path, method"),
        ("source,method,type\nid1,real,A\n", "expected the columns"),
        (f"{_METADATA}id00076,-,-\n", "line 6: expected a value for each"),
        (f"{_METADATA}id00076,-,-,,B,RealVideo-FakeAudio,a,men,b.mp4,c\n", "line 6: expected"),
        (f'{_METADATA}"id00076,-', "not a CSV file"),
    ],
)
def test_damaged_metadata_are_refused(tmp_path: Path, metadata: str, reason: str) -> None:
    with pytest.raises(CorpusError, match=reason):
        _scan(_tree(tmp_path, metadata=metadata))
    (tmp_path / "meta_data.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match="UTF-8"):
        _scan(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "RealVideo-RealAudio/00109.mp4",
        "RealVideo-RealAudio/African/men/00109.mp4",
        "RealVideo-RealAudio/African/men/someone/00109.mp4",
        "RealVideo-RealAudio/African/men/id00076/clips/00109.mp4",
    ],
)
def test_a_file_of_whom_nobody_says_who_it_is_takes_no_part(tmp_path: Path, name: str) -> None:
    row = _scan(_tree(tmp_path, name))["RealVideo-RealAudio"]
    assert (row.status, row.error_type, row.identity) == (Status.ERROR, "CorpusError", None)
    assert "<race>" in (row.message or "")


def test_hidden_files_have_no_row_and_another_layout_is_refused(tmp_path: Path) -> None:
    _tree(tmp_path / "a", _FILES[0], f"{Path(_FILES[0]).parent}/.00110.mp4")
    assert len(_scan(tmp_path / "a")) == 1
    (tmp_path / "b/RealVideo-RealAudio").mkdir(parents=True)
    with pytest.raises(CorpusError, match="no video"):
        _scan(tmp_path / "b")
    _tree(tmp_path / "c", "holiday/a.mp4")
    with pytest.raises(CorpusError, match=r"expected .*found the folders holiday"):
        _scan(tmp_path / "c")


def test_no_person_is_in_two_splits(tmp_path: Path) -> None:
    files = []
    for person in range(40):
        folder = f"African/men/id{person:05}"
        other, third = (person // 4 * 4 + (person + step) % 4 for step in (1, 2))
        files += [
            f"RealVideo-RealAudio/{folder}/00001.mp4",
            f"RealVideo-FakeAudio/{folder}/00001_fake.mp4",
            f"FakeVideo-FakeAudio/{folder}/00001_id{other:05}_abc_id{third:05}_wavtolip.mp4",
        ]
    rows = scan_corpus(_tree(tmp_path, *files), corpus="c", layout="fakeavceleb", modality="voice")
    result = assign_splits(rows, config=SplitConfig(strategy="auto"))
    assert result.strategy == "grouped"
    splits_of: dict[str, set[Split | None]] = {}
    for row in result.rows:
        for person in filter(None, (row.identity, row.target_id, row.source_id)):
            splits_of.setdefault(person, set()).add(row.split)
    assert len(splits_of) == 40
    assert all(len(found) == 1 for found in splits_of.values())
    assert len(set.union(*splits_of.values())) == 3
