"""Parts of scores: whole or not there, whatever happened to their bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from deepfake.config import digest_of
from deepfake.scoring.parts import Part, find_parts, part_path, remove_part, write_part
from deepfake.scoring.schemas import TABLES
from deepfake.scoring.scorer_settings import ScoredMedium
from tests.scores import make_score

_KEY = "0123456789abcdef"


def _medium(name: str) -> ScoredMedium:
    track = {"uri": f"/m/{name}", "media_id": name, "track_id": 0, "logit": 1.5}
    return ScoredMedium(make_score(f"/m/{name}", name, logit=1.5), (track,), ())


@pytest.fixture
def written(tmp_path: Path) -> Part:
    return write_part(tmp_path, key=_KEY, run_number=3, media=[_medium("a"), _medium("b")])


def test_a_part_is_found_as_it_was_written(written: Part, tmp_path: Path) -> None:
    assert written == Part(_KEY, 3, (("a", "ok"), ("b", "ok")))
    assert list(find_parts(tmp_path)) == [written]
    scores = pq.read_table(part_path(tmp_path, _KEY, "scores"))
    assert scores["logit"].to_pylist() == [1.5, 1.5]


def _files() -> list[str]:
    return [f"{_KEY}.json", *(f"{_KEY}.{name}.parquet" for name in TABLES)]


@pytest.mark.parametrize("name", _files())
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_flipped_byte_anywhere_is_found(
    written: Part, tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0x20
    path.write_bytes(content)
    assert list(find_parts(tmp_path)) == []
    assert list(tmp_path.iterdir()) == [], "what is damaged is in nobody's way"


@pytest.mark.parametrize("name", _files())
def test_a_part_without_one_of_its_files_is_none(written: Part, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    assert list(find_parts(tmp_path)) == []


def test_a_list_of_another_kind_is_no_part(written: Part, tmp_path: Path) -> None:
    (tmp_path / "0000000000000000.json").write_text('{"schema": "other"}')
    (tmp_path / "1111111111111111.json").write_text("[]")
    assert list(find_parts(tmp_path)) == [written]


def test_removing_leaves_nothing(written: Part, tmp_path: Path) -> None:
    remove_part(tmp_path, _KEY)
    assert list(tmp_path.iterdir()) == []
    remove_part(tmp_path, _KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": float("inf")},
        {"number": "1"},
        {"number": -1},
        {"media": [["a", "odd"]]},
        {"media": [["a"]]},
        {"media": {"a": "ok"}},
        {"tables": []},
        {"tables": {}},
    ],
    ids=str,
)
def test_a_list_without_sense_is_no_part_although_its_digest_fits(
    written: Part, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / f"{_KEY}.json"
    record = {**json.loads(path.read_text()), **changes}
    del record["digest"]
    signed = {**record, "digest": digest_of(json.dumps(record, sort_keys=True))}
    path.write_text(json.dumps(signed))
    assert list(find_parts(tmp_path)) == []


@pytest.mark.parametrize("text", ['"text"', "7", "null", "[[]]", "[" * 100_000])
def test_json_that_is_no_list_of_a_part(written: Part, tmp_path: Path, text: str) -> None:
    (tmp_path / f"{_KEY}.json").write_text(text)
    assert list(find_parts(tmp_path)) == []
