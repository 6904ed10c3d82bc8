"""LAV-DF: files of which some moments were changed, in their sound, their pictures, or both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepfake.config import ExtractConfig, Modality, SplitConfig
from deepfake.corpora.ingest.snapshot import snapshot_digest
from deepfake.corpora.layouts import recognise_layout, scan_corpus
from deepfake.corpora.manifest import read_manifest, record_of_row, row_of_record, write_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import assign_splits
from deepfake.errors import CorpusError
from deepfake.types import Label, Split, Status


def _entry(file: str, *, video: bool, audio: bool, original: str | None = None) -> dict[str, Any]:
    periods = [[1.5, 2.25], [0.25, 0.5]] if video or audio else []
    return {
        "file": file,
        "split": file.split("/")[0],
        "n_fakes": len(periods),
        "fake_periods": periods,
        "modify_video": video,
        "modify_audio": audio,
        "duration": 5.0,
        "original": original,
        "video_frames": 125,
    }


_ENTRIES = [
    _entry("train/000000.mp4", video=False, audio=False),
    _entry("train/000001.mp4", video=True, audio=False, original="train/000000.mp4"),
    _entry("dev/000002.mp4", video=False, audio=True, original="dev/000009.mp4"),
    _entry("test/000003.mp4", video=True, audio=True, original="test/000008.mp4"),
]


def _tree(root: Path, entries: object = _ENTRIES) -> Path:
    for name in ("train/000000", "train/000001", "dev/000002", "dev/000007"):
        path = root / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "metadata.json").write_text(json.dumps(entries))
    return root


def _scan(root: Path, modality: Modality = "faces") -> dict[str, ManifestRow]:
    rows = scan_corpus(root, corpus="c", layout="lavdf", modality=modality)
    return {Path(row.uri).stem[-1]: row for row in rows}


@pytest.mark.parametrize(("modality", "fakes"), [("faces", "13"), ("voice", "23"), ("sync", "123")])
def test_the_label_is_that_of_what_is_looked_at(
    tmp_path: Path, modality: Modality, fakes: str
) -> None:
    rows = _scan(_tree(tmp_path), modality)
    assert {n for n, row in rows.items() if row.label is Label.FAKE} == set(fakes)
    assert {n for n, row in rows.items() if row.label is Label.REAL} == set("0123") - set(fakes)
    for number in "0123":
        expected = ((0.25, 0.5), (1.5, 2.25)) if number in fakes else ()
        assert rows[number].fake_intervals == expected
    methods = {"1": "video", "2": "audio", "3": "video and audio"}
    assert {n: rows[n].method for n in fakes} == {n: methods[n] for n in fakes}


def test_files_and_entries_that_lack_each_other_have_rows(tmp_path: Path) -> None:
    rows = _scan(_tree(tmp_path))
    assert (rows["7"].status, rows["7"].label, rows["7"].fake_intervals) == (Status.OK, None, None)
    assert (rows["3"].status, rows["3"].split) == (Status.MISSING, Split.TEST)
    assert rows["2"].split is Split.VAL
    assert rows["1"].original == rows["0"].original == "train/000000.mp4"


def test_its_layout_is_recognised(tmp_path: Path) -> None:
    assert recognise_layout(_tree(tmp_path)) == "lavdf"
    (tmp_path / "metadata.json").write_text('{"a.mp4": {"label": "REAL"}}')
    assert recognise_layout(tmp_path) == "dfdc"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file": "../a.mp4"}, "the name of a file"),
        ({"file": "train/../a.mp4"}, "the name of a file"),
        ({"split": "holdout"}, "unknown one"),
        ({"modify_video": 1}, "true or false"),
        ({"fake_periods": [[2.0, 1.0]]}, "from begin to end"),
        ({"fake_periods": [[-0.5, 1.0]]}, "from begin to end"),
        ({"fake_periods": 3}, "entry 1"),
    ],
)
def test_damaged_entries_are_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CorpusError, match=reason):
        _scan(_tree(tmp_path, [{**_ENTRIES[0], **change}]))


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="expected a list"):
        _scan(_tree(tmp_path, {"a": 1}))
    (tmp_path / "metadata.json").unlink()
    with pytest.raises(CorpusError, match=r"expected a metadata\.json"):
        _scan(tmp_path)


def test_intervals_are_kept_by_manifests(tmp_path: Path) -> None:
    rows = sorted(_scan(_tree(tmp_path / "c"), "sync").values(), key=lambda row: row.uri)
    assert read_manifest(write_manifest(tmp_path / "m.parquet", rows)) == rows
    for row in rows:
        record = json.loads(json.dumps(record_of_row(row)))
        assert row_of_record(record).fake_intervals == row.fake_intervals
    result = assign_splits(rows, config=SplitConfig(strategy="official"))
    assert [row.fake_intervals for row in result.rows] == [row.fake_intervals for row in rows]


def test_digests_of_corpora_without_intervals_are_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """16 hex digits that were computed before there was the column."""
    row = ManifestRow(uri="/a.mp4", corpus="c", label=Label.REAL)
    monkeypatch.setattr("deepfake.corpora.ingest.snapshot.extract_digest", lambda _: "0" * 16)
    config = ExtractConfig()
    assert snapshot_digest([row], config=config, shards=[]) == "5382a6cc02aafd7b"
    changed = replace(row, fake_intervals=())
    assert snapshot_digest([changed], config=config, shards=[]) != "5382a6cc02aafd7b"
