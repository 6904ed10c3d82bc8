"""The layout `folder`, walking folders, and scanning unlabelled media."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deepfake.corpora.layouts import LAYOUTS, scan_corpus, scan_media
from deepfake.corpora.manifest import read_manifest, write_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import ConfigError, CorpusError
from deepfake.types import Label, Split, Status


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def scan(root: Path) -> dict[str, ManifestRow]:
    rows = scan_corpus(root, corpus="c", layout="folder")
    return {row.uri.removeprefix(f"{root}/"): row for row in rows}


def test_labels_come_from_whole_folder_names(tmp_path: Path) -> None:
    names = {
        "real/a.jpg": Label.REAL,
        "FAKE/b.jpg": Label.FAKE,
        "x/Real/deep/c.mp4": Label.REAL,
        "unreal/d.jpg": None,
        "fakes/e.jpg": None,
        "surrealism.mp4": None,
        "fake.mp4": None,
        "not_fake/real.jpg": None,
    }
    rows = scan(put(tmp_path / "corpus", *names))
    assert {name: row.label for name, row in rows.items()} == names


def test_the_roots_own_name_labels_but_does_not_split(tmp_path: Path) -> None:
    assert scan(put(tmp_path / "fake", "a.jpg"))["a.jpg"].label is Label.FAKE
    assert scan(put(tmp_path / "test", "a.jpg"))["a.jpg"].split is None


def test_relative_root_is_known_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "real", "a.jpg")
    monkeypatch.chdir(tmp_path / "real")
    (row,) = scan_corpus(Path(), corpus="c", layout="folder")
    assert (row.label, row.uri) == (Label.REAL, f"{tmp_path}/real/a.jpg")


@pytest.mark.parametrize("path", ["real/fake/a.jpg", "fake/x/REAL/a.jpg", "train/val/a.jpg"])
def test_two_claims_in_one_path_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(CorpusError, match="contains both") as caught:
        scan(put(tmp_path / "corpus", path))
    assert str(caught.value.path).endswith(path)


def test_splits_in_all_spellings(tmp_path: Path) -> None:
    names = {
        "Train/real/a.jpg": Split.TRAIN,
        "val/a.jpg": Split.VAL,
        "valid/a.jpg": Split.VAL,
        "fake/validation/a.jpg": Split.VAL,
        "test/fake/a.jpg": Split.TEST,
        "testing/a.jpg": None,
    }
    rows = scan(put(tmp_path / "corpus", *names))
    assert {name: row.split for name, row in rows.items()} == names


def test_rows_carry_size_and_time_and_nothing_that_needs_reading(tmp_path: Path) -> None:
    row = scan(put(tmp_path, "ä ö.bin"))["ä ö.bin"]
    found = (tmp_path / "ä ö.bin").stat()
    assert (row.size_bytes, row.mtime_ns) == (found.st_size, found.st_mtime_ns)
    assert (row.media_id, row.kind, row.status) == (None, None, Status.OK)


def test_hidden_files_are_no_candidates_and_everything_else_is(tmp_path: Path) -> None:
    put(tmp_path, ".DS_Store", "Thumbs.db", ".git/a.jpg", "notes.txt", "empty", "real/a.jpg")
    assert set(scan(tmp_path)) == {"notes.txt", "empty", "real/a.jpg"}


def test_odd_entries_become_rows(tmp_path: Path) -> None:
    put(tmp_path, "good.mp4", "folder.MP4/inside.jpg")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself.mp4").symlink_to(tmp_path / "itself.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    rows = scan(tmp_path)
    assert {name: row.status for name, row in rows.items()} == {
        "good.mp4": Status.OK,
        "folder.MP4": Status.UNSUPPORTED,
        "dangling.mp4": Status.MISSING,
        "itself.mp4": Status.UNREADABLE,
        "pipe.mp4": Status.UNSUPPORTED,
    }
    assert all(row.message for row in rows.values() if row.status is not Status.OK)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    put(tmp_path, "pool/a.jpg", "corpus/real/b.jpg")
    root = tmp_path / "corpus"
    (root / "fake").symlink_to(tmp_path / "pool")
    (root / "real" / "up").symlink_to(root)
    (tmp_path / "pool" / "again").symlink_to(tmp_path / "pool")
    rows = scan(root)
    assert {name: row.label for name, row in rows.items()} == {
        "fake/a.jpg": Label.FAKE,
        "real/b.jpg": Label.REAL,
    }


def test_a_name_that_is_not_utf8_is_a_row_that_can_be_written(tmp_path: Path) -> None:
    root = put(tmp_path / "corpus", "good.jpg")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.jpg")).write_bytes(b"x")
    rows = scan_corpus(root, corpus="c", layout="folder")
    assert sorted(row.status for row in rows) == [Status.OK, Status.UNSUPPORTED]
    assert read_manifest(write_manifest(tmp_path / "m.parquet", rows)) == rows


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up root's rights for a while, where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_folder_that_may_not_be_listed_is_a_row() -> None:
    with tempfile.TemporaryDirectory() as name:  # an ordinary user may not enter root's tmp_path
        root = put(Path(name), "good.jpg", "locked/a.jpg")
        root.chmod(0o755)
        (root / "locked").chmod(0)
        try:
            with ordinary_user():
                rows = scan(root)
        finally:
            (root / "locked").chmod(0o755)
    assert {n: row.status for n, row in rows.items()} == {
        "good.jpg": Status.OK,
        "locked": Status.UNREADABLE,
    }


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="the folders empty"):
        scan(tmp_path)
    with pytest.raises(CorpusError, match="no such"):
        scan(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="expects a folder"):
        scan(put(tmp_path, "file") / "file")


def test_unknown_layouts_and_unusable_names_are_refused(tmp_path: Path) -> None:
    official = {"faceforensics", "dfdc", "celebdf", "fakeavceleb", "lavdf", "asvspoof"}
    assert set(LAYOUTS) == {"folder", "csv"} | official
    put(tmp_path, "a.jpg")
    with pytest.raises(ConfigError, match="faceforensics"):
        scan_corpus(tmp_path, corpus="c", layout="imagenet")
    for name in ("", "..", "a/b", "a\n", " a"):
        with pytest.raises(ConfigError, match="corpus name"):
            scan_corpus(tmp_path, corpus=name, layout="folder")


def test_media_to_be_scored_have_no_labels(tmp_path: Path) -> None:
    put(tmp_path, "real/a.jpg", "fake/b.jpg", "real/fake/c.jpg")
    rows = scan_media(tmp_path)
    assert [(row.label, row.split) for row in rows] == [(None, None)] * 3
    assert [row.uri for row in rows] == sorted(row.uri for row in rows)


def test_named_files_are_rows_once_each(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", ".hidden.jpg", "sub/b.jpg", "clip.mp4/c.jpg")
    names = ["a.jpg", "./a.jpg", ".hidden.jpg", "sub", "clip.mp4", "gone.jpg"]
    rows = {Path(r.uri).name: r.status for r in scan_media(tmp_path / name for name in names)}
    assert rows == {
        "a.jpg": Status.OK,
        ".hidden.jpg": Status.OK,
        "b.jpg": Status.OK,
        "clip.mp4": Status.UNSUPPORTED,
        "gone.jpg": Status.MISSING,
    }
    assert len(scan_media(tmp_path / "a.jpg")) == 1
    with pytest.raises(CorpusError, match="no file"):
        scan_media([])


@pytest.mark.shared_data
def test_openforensics_and_talking_heads(shared_data: Path) -> None:
    rows = scan_corpus(shared_data / "openforensics", corpus="of", layout="folder")
    sizes = {Split.TRAIN: 6000, Split.VAL: 500, Split.TEST: 600}
    expected = {(split, label): n for split, n in sizes.items() for label in Label}
    assert Counter((row.split, row.label) for row in rows) == expected
    heads = scan_corpus(shared_data / "videos/talking-heads", corpus="th", layout="folder")
    assert [row.label for row in heads] == [None] * 12
