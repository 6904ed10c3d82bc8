"""Folders in an object store are listed like local ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deepfake.corpora.layouts import MediaFilter, scan_corpus, stream_media
from deepfake.errors import ConfigError, CorpusError
from deepfake.storage import StorePath
from deepfake.types import Label, Split, Status


@pytest.fixture
def filled(bucket: StorePath) -> StorePath:
    for name in (
        "a.mp4",
        "notes.txt",
        ".hidden.mp4",
        "train/real/.git/x.png",
        "train/real/b.png",
        "train/fake/c.png",
        "clip.mp4/inner.png",
        "out/scores.parquet",
        "outer/d.png",
    ):
        (bucket / "inbox" / name).write_bytes(name.encode())
    (bucket / "inbox2" / "e.png").write_bytes(b"")
    return bucket / "inbox"


def _names(root: StorePath, **more: object) -> set[str]:
    rows = stream_media(root, **more)  # type: ignore[arg-type]
    return {row.uri.removeprefix(f"{root.uri}/") for row in rows}


_ALL = {"a.mp4", "notes.txt", "train/real/b.png", "train/fake/c.png", "clip.mp4/inner.png"}
_ALL |= {"out/scores.parquet", "outer/d.png"}


def test_all_but_what_is_hidden_or_ours_is_listed(filled: StorePath) -> None:
    assert _names(filled) == _ALL
    assert _names(filled, skipped=filled / "out") == _ALL - {"out/scores.parquet"}
    (row,) = stream_media(filled / "a.mp4")
    stat = (filled / "a.mp4").stat()
    assert (row.uri, row.size_bytes) == ((filled / "a.mp4").uri, 5)
    assert (row.mtime_ns, row.status) == (stat.mtime_ns, Status.OK)
    assert _names(filled / "nothing") == set()


def test_filters_mean_what_they_mean_on_a_disk(filled: StorePath) -> None:
    assert _names(filled, media_filter=MediaFilter(include=("*.png",))) == {
        "train/real/b.png",
        "train/fake/c.png",
        "clip.mp4/inner.png",
        "outer/d.png",
    }
    assert _names(
        filled, media_filter=MediaFilter(include=("*.png",), exclude=("train/real/",))
    ) == {
        "train/fake/c.png",
        "clip.mp4/inner.png",
        "outer/d.png",
    }
    now = datetime.now(UTC)
    for since, expected in ((now - timedelta(hours=1), _ALL), (now + timedelta(hours=1), set())):
        assert _names(filled, media_filter=MediaFilter(changed_since=since)) == expected


def test_labels_and_splits_come_from_the_names(filled: StorePath) -> None:
    rows = {
        row.uri.rpartition("/")[2]: row for row in scan_corpus(filled, corpus="c", layout="folder")
    }
    assert (rows["b.png"].label, rows["b.png"].split) == (Label.REAL, Split.TRAIN)
    assert (rows["c.png"].label, rows["c.png"].split) == (Label.FAKE, Split.TRAIN)
    assert rows["a.mp4"].label is None
    below = scan_corpus(filled / "train" / "fake", corpus="c", layout="folder")
    assert [(row.label, row.split) for row in below] == [(Label.FAKE, None)]


def test_what_is_not_read_out_of_stores_is_said(filled: StorePath) -> None:
    for layout in ("csv", "celebdf", "dfdc", "faceforensics"):
        with pytest.raises(ConfigError, match="is read from local folders only"):
            scan_corpus(filled, corpus="c", layout=layout)
    with pytest.raises(CorpusError, match="found no object below it"):
        scan_corpus(filled / "nothing", corpus="c", layout="folder")
    (filled / "real" / "x.png").write_bytes(b"")
    (filled / "real" / "fake" / "x.png").write_bytes(b"")
    with pytest.raises(CorpusError, match="contains both real and fake"):
        scan_corpus(filled, corpus="c", layout="folder")
