"""FaceForensics++, DFDC and Celeb-DF: their folders, lists and file names."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.types import Label, Split, Status


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scan(root: Path, layout: str) -> dict[str, ManifestRow]:
    rows = scan_corpus(root, corpus="c", layout=layout)
    return {row.uri.removeprefix(f"{root}/"): row for row in rows}


def ff_tree(root: Path, *names: str, **splits: list[list[str]]) -> Path:
    for name in names:
        part, method, stem = name.split("/")
        put(root / f"{part}_sequences" / method / "c23" / "videos" / f"{stem}.mp4")
    for split, pairs in splits.items():
        put(root / "splits" / f"{split}.json", json.dumps(pairs))
    return root


@pytest.mark.shared_data
def test_faceforensics_sample(shared_data: Path) -> None:
    rows = scan(shared_data / "videos/FaceForensics++", "faceforensics")
    found = {
        Path(r.uri).stem: (r.label, r.method, r.target_id, r.source_id, r.identity, r.split)
        for r in rows.values()
    }
    real, fake = Label.REAL, Label.FAKE
    assert found == {
        "004": (real, "original", None, None, "004", Split.VAL),
        "519": (real, "original", None, None, "519", Split.TRAIN),
        "634": (real, "original", None, None, "634", Split.TEST),
        "004_982": (fake, "NeuralTextures", "004", "982", None, Split.VAL),
        "519_515": (fake, "Deepfakes", "519", "515", None, Split.TRAIN),
        "634_660": (fake, "FaceSwap", "634", "660", None, Split.TEST),
        "750_743": (fake, "Face2Face", "750", "743", None, Split.TRAIN),
    }
    assert {row.compression for row in rows.values()} == {"c23"}
    made_of = {Path(r.uri).stem: r.original for r in rows.values()}
    assert (made_of["004_982"], made_of["004"], made_of["750_743"]) == ("004", "004", "750")


def test_one_name_under_four_methods_is_four_files(tmp_path: Path) -> None:
    methods = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    rows = scan(ff_tree(tmp_path, *(f"manipulated/{m}/000_003" for m in methods)), "faceforensics")
    assert sorted(row.method or "" for row in rows.values()) == list(methods)


def test_deepfakedetection_names_and_masks(tmp_path: Path) -> None:
    names = ["original/actors/01__hugging", "manipulated/DeepFakeDetection/01_02__hugging__YV2A"]
    ff_tree(tmp_path, *names)
    put(tmp_path / "manipulated_sequences/DeepFakeDetection/masks/videos/01_02__hugging__YV2A.mp4")
    real, fake = sorted(scan(tmp_path, "faceforensics").values(), key=lambda r: r.label != "real")
    assert (real.identity, real.method) == ("01", "original")
    assert (fake.target_id, fake.source_id, fake.method) == ("01", "02", "DeepFakeDetection")
    assert real.original == fake.original == "01__hugging"


def test_a_name_that_does_not_say_whom_it_shows_takes_no_part(tmp_path: Path) -> None:
    rows = scan(
        ff_tree(tmp_path, "original/youtube/holiday", "original/youtube/000"), "faceforensics"
    )
    assert sorted(row.status for row in rows.values()) == [Status.ERROR, Status.OK]


def test_a_fake_across_official_splits_is_an_error_row(tmp_path: Path) -> None:
    lists = {"train": [["000", "003"]], "val": [["001", "002"]], "test": []}
    ff_tree(tmp_path, "manipulated/FaceSwap/000_001", "manipulated/FaceSwap/003_000", **lists)
    across, within = scan(tmp_path, "faceforensics").values()
    assert (across.status, across.split) == (Status.ERROR, None)
    assert (within.status, within.split) == (Status.OK, Split.TRAIN)


@pytest.mark.parametrize(
    ("train", "match"),
    [('[["000", "001"]]', "both"), ("[", "JSON"), ('{"a": 1}', "pairs"), ("[[1, 2]]", "pairs")],
)
def test_damaged_official_lists_are_refused(tmp_path: Path, train: str, match: str) -> None:
    ff_tree(tmp_path, "original/youtube/000", val=[["001", "002"]], test=[])
    put(tmp_path / "splits/train.json", train)
    with pytest.raises(CorpusError, match=match):
        scan(tmp_path, "faceforensics")


@pytest.mark.shared_data
def test_dfdc_sample(shared_data: Path) -> None:
    rows = scan(shared_data / "videos/DFDC", "dfdc")
    assert Counter(row.status for row in rows.values()) == {Status.OK: 5, Status.MISSING: 6}
    row = rows["dfdc_train_part_0/brtujopkby.mp4"]
    assert (row.label, row.target_id, row.split) == (Label.FAKE, "gnmmhlbzge.mp4", None)
    real = rows["dfdc_train_part_47/abarnvbtwb.mp4"]
    assert (real.label, real.target_id, real.status) == (Label.REAL, real.target_id, Status.MISSING)


def test_dfdc_entries_and_files_need_not_match(tmp_path: Path) -> None:
    entries = {
        "a.mp4": {"label": "REAL", "split": "train"},
        "b.mp4": {"label": "FAKE", "split": "train", "original": "a.mp4"},
        "gone.mp4": {"label": "FAKE", "original": "a.mp4"},
    }
    put(tmp_path / "deep/part/metadata.json", json.dumps(entries))
    for name in ("a.mp4", "b.mp4", "extra.mp4"):
        put(tmp_path / "deep/part" / name)
    rows = {Path(uri).name: row for uri, row in scan(tmp_path, "dfdc").items()}
    assert all(r.original == r.target_id for r in rows.values())
    assert {name: (r.label, r.status, r.target_id) for name, r in rows.items()} == {
        "a.mp4": (Label.REAL, Status.OK, "a.mp4"),
        "b.mp4": (Label.FAKE, Status.OK, "a.mp4"),
        "gone.mp4": (Label.FAKE, Status.MISSING, "a.mp4"),
        "extra.mp4": (None, Status.OK, None),
    }


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"a.mp4": {"label": "fake"}}',
        '{"a.mp4": {"label": ["FAKE"]}}',
        '{"a.mp4": "FAKE"}',
        '{"../a.mp4": {"label": "FAKE"}}',
        '{"a.mp4": {"label": "FAKE", "original": 3}}',
        "{}",
    ],
)
def test_metadata_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CorpusError):
        scan(put(tmp_path / "metadata.json", text).parent, "dfdc")


@pytest.mark.shared_data
def test_celebdf_sample(shared_data: Path) -> None:
    rows = scan(shared_data / "videos/Celeb-DF-v2", "celebdf")
    assert Counter((Path(u).parent.name, r.label) for u, r in rows.items()) == {
        ("Celeb-real", Label.REAL): 5,
        ("Celeb-synthesis", Label.FAKE): 5,
    }
    assert {row.split for row in rows.values()} == {Split.TEST}
    fake = rows["Celeb-synthesis/id0_id1_0005.mp4"]
    assert (fake.target_id, fake.source_id) == ("id0", "id1")
    assert rows["Celeb-real/id0_0002.mp4"].identity == "id0"
    # Of the fakes four have the recording that they were made of beside them.
    reals, fakes = (
        [row.original for row in rows.values() if row.label is label]
        for label in (Label.REAL, Label.FAKE)
    )
    assert len(set(reals) & set(fakes)) == 4
    assert fake.original == "id0_0005"


def celeb_tree(root: Path, listed: str) -> Path:
    names = ("Celeb-real/id0_0000", "YouTube-real/00170", "Celeb-synthesis/id0_id16_0003")
    for name in names:
        put(root / f"{name}.mp4")
    put(root / "List_of_testing_videos.txt", listed)
    return root


def test_in_the_list_one_is_real_and_absent_entries_are_missing(tmp_path: Path) -> None:
    celeb_tree(tmp_path, "1 YouTube-real/00170.mp4\n\n0 Celeb-synthesis/id2_id3_0001.mp4\n")
    rows = scan(tmp_path, "celebdf")
    assert {name: (r.label, r.split, r.status) for name, r in rows.items()} == {
        "Celeb-real/id0_0000.mp4": (Label.REAL, None, Status.OK),
        "YouTube-real/00170.mp4": (Label.REAL, Split.TEST, Status.OK),
        "Celeb-synthesis/id0_id16_0003.mp4": (Label.FAKE, None, Status.OK),
        "Celeb-synthesis/id2_id3_0001.mp4": (Label.FAKE, Split.TEST, Status.MISSING),
    }


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 Celeb-real/id0_0000.mp4", "line 1: 0 means fake"),
        ("1 Celeb-synthesis/id0_id16_0003.mp4", "line 1: 1 means real"),
        ("2 Celeb-real/id0_0000.mp4", "line 1: expected"),
        ("1 Celeb-real/../../secret.mp4", "line 1: expected"),
        ("1 Other/id0_0000.mp4", "line 1: expected"),
    ],
)
def test_a_list_that_contradicts_the_folders_is_refused(
    tmp_path: Path, line: str, match: str
) -> None:
    with pytest.raises(CorpusError, match=match):
        scan(celeb_tree(tmp_path, line), "celebdf")


@pytest.mark.parametrize("layout", ["faceforensics", "dfdc", "celebdf"])
def test_a_wrong_layout_says_what_was_expected_and_found(tmp_path: Path, layout: str) -> None:
    put(tmp_path / "holiday/a.mp4")
    with pytest.raises(CorpusError, match=r"expected .*; found the folders holiday and 0 files"):
        scan(tmp_path, layout)
    with pytest.raises(CorpusError):
        scan(tmp_path / "holiday/a.mp4", layout)


@pytest.mark.parametrize(
    ("layout", "folder"),
    [("faceforensics", "original_sequences/youtube/c23/videos"), ("celebdf", "Celeb-real")],
)
def test_a_right_layout_without_videos_is_refused(tmp_path: Path, layout: str, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(CorpusError, match="no video"):
        scan(tmp_path, layout)
