"""Tables of an earlier version lack columns: they are read, and what is lacking is null."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake.config import digest_of
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import DataError
from deepfake.evidence.selection import find_missing_evidence
from deepfake.scoring import least_certain
from deepfake.scoring.output.tables import count_rows, rewrite_csv
from deepfake.scoring.parts import (
    find_parts,
    merge_parts,
    part_path,
    read_part_tables,
    rewrite_part,
    write_part,
)
from deepfake.scoring.schemas import LATER_COLUMNS, TABLES
from deepfake.scoring.scorer_settings import ScoredMedium
from deepfake.storage import sha256_of, write_json
from deepfake.views.report import read_report, render_report
from tests.scores import make_score
from tests.untrained_detector import write_bundle

_KEYS = ("0123456789abcdef", "fedcba9876543210")


def _medium(uri: str, media_id: str) -> ScoredMedium:
    face = {"uri": uri, "media_id": media_id, "track_id": 0, "frame_index": 0, "pts_seconds": 0.0}
    frame = {**face, "bbox_xyxy": [1.0, 2.0, 3.0, 4.0], "confidence": 1.0, "logit": 1.5}
    score = make_score(uri, media_id, logit=1.5, kind="image", verdict="uncertain", prob_fake=0.5)
    return ScoredMedium(score, (), ({**frame, "prob_fake": 0.8},))


def _without_later(path: Path, name: str) -> None:
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(sorted(LATER_COLUMNS[name])), path)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Return a folder of two parts as an earlier version wrote them."""
    for number, key in enumerate(_KEYS):
        write_part(tmp_path, key=key, run_number=number, media=[_medium(f"/m/{key}", key)])
        marker = tmp_path / f"{key}.json"
        record = json.loads(marker.read_text())
        for name in TABLES:
            path = Path(str(part_path(tmp_path, key, name)))
            _without_later(path, name)
            record["tables"][name] = sha256_of(path)
        del record["digest"]
        write_json(marker, {**record, "digest": digest_of(json.dumps(record, sort_keys=True))})
    return tmp_path


def test_parts_are_found_merged_and_cut_down(parts: Path) -> None:
    found = list(find_parts(parts))
    assert [part.key for part in found] == sorted(_KEYS)
    merged = merge_parts(parts, found, made_with={})
    for name in ("scores", "frames"):
        for key, rows in ((_KEYS[0], 1), (merged.key, 2)):
            ((_, table),) = read_part_tables(parts, [key], name)
            assert table.schema.equals(TABLES[name])
            for column in LATER_COLUMNS[name]:
                assert table[column].to_pylist() == [None] * rows
            assert table["logit"].to_pylist() == [1.5] * rows
    left = rewrite_part(parts, merged.key, without={_KEYS[0]})
    assert left is not None and left.media == ((_KEYS[1], "ok"),)


def test_any_other_column_that_is_lacking_is_damage(parts: Path) -> None:
    path = Path(str(part_path(parts, _KEYS[0], "scores")))
    pq.write_table(pq.read_table(path).drop_columns(["logit"]), path)
    with pytest.raises(DataError, match="columns"):
        list(read_part_tables(parts, [_KEYS[0]], "scores"))


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """Return a folder of scores as an earlier version wrote it."""
    folder = tmp_path / "scores" / "versions" / "v"
    folder.mkdir(parents=True)
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    media = [_medium(str(photo), "a" * 64)]
    rows: dict[str, list[Any]] = {
        "scores": [medium.score.as_row() for medium in media],
        "frames": [row for medium in media for row in medium.frames],
    }
    for name, own in rows.items():
        pq.write_table(pa.Table.from_pylist(own, TABLES[name]), folder / f"{name}.parquet")
        _without_later(folder / f"{name}.parquet", name)
    write_json(folder / "run.json", {"folder": "/m", "detector": {"name": "tried"}})
    return folder


def test_tables_are_counted_written_as_csv_and_chosen_from(version: Path) -> None:
    assert count_rows(version).verdicts == {"uncertain": 1}
    rewrite_csv(version)
    head, row = (version / "scores.csv").read_text().splitlines()
    assert "likelihood_ratio_max" in head and len(row.split(",")) == len(head.split(","))
    assert [medium.media_id for medium in least_certain(version, num=5)] == ["a" * 64]


def test_a_report_is_made_and_evidence_asked_for(version: Path, tmp_path: Path) -> None:
    report = read_report(version.parent.parent, version_dir=version)
    assert report.rows.columns["likelihood_ratio"] == [None]
    assert "photo.png" in render_report(report)
    bundle = load_bundle(write_bundle(tmp_path / "b", model="test_efficientnet", size=64))
    (request,) = find_missing_evidence(version, bundle=bundle, num_files=2)
    assert request.frames[0]["turned_degrees"] is None
