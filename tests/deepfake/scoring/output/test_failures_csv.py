"""What people open in a spreadsheet: nothing in it runs, and each failure says what to do."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from deepfake.scoring import SCORES_SCHEMA
from deepfake.scoring.output.tables import rewrite_csv
from deepfake.storage import write_table
from deepfake.types import EXPECTED_STATUSES, Status

_RUN = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    "﹦1",
    "−1",
    " =1+1",
    "\u00a0=1",
    "\ufeff=1",
    "\u200b+1",
    "\x00=1",
    "\tx",
]
_HARMLESS = ["took longer than 5 s", " a - b", "'=1+1", "1=1", "ünï", "/=x", ""]


def _write(folder: Path, rows: list[dict[str, Any]]) -> tuple[list[dict[str, str]], ...]:
    base = dict.fromkeys(SCORES_SCHEMA.names)
    table = pa.Table.from_pylist([{**base, **row} for row in rows], schema=SCORES_SCHEMA)
    write_table(folder / "scores.parquet", table)
    rewrite_csv(folder)
    return tuple(_read(folder / name) for name in ("failures.csv", "scores.csv"))


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _row(**more: Any) -> dict[str, Any]:
    return {"uri": "/m/a", "status": "timeout", "verdict": "not_applicable", **more}


@pytest.mark.parametrize("text", _RUN)
@pytest.mark.parametrize("column", ["uri", "reason", "error_type"])
def test_a_cell_that_looks_like_a_formula_is_text(tmp_path: Path, text: str, column: str) -> None:
    failures, scores = _write(tmp_path, [_row(**{column: text})])
    assert failures[0][column] == scores[0][column] == f"'{text}"


@pytest.mark.parametrize("text", _HARMLESS)
def test_other_cells_are_as_they_are(tmp_path: Path, text: str) -> None:
    failures, scores = _write(tmp_path, [_row(reason=text)])
    assert failures[0]["reason"] == scores[0]["reason"] == text


def test_numbers_keep_their_sign(tmp_path: Path) -> None:
    _, scores = _write(tmp_path, [_row(logit=-1.5)])
    assert scores[0]["logit"] == "-1.5"


def test_each_status_that_nobody_wants_is_listed_with_what_to_do(tmp_path: Path) -> None:
    rows = [_row(uri=f"/m/{s}", status=str(s), reason="because") for s in Status]
    failures, scores = _write(tmp_path, rows)
    assert len(scores) == len(Status)
    assert {f["status"] for f in failures} == {str(s) for s in set(Status) - EXPECTED_STATUSES}
    assert list(failures[0]) == ["uri", "status", "error_type", "reason", "what_to_do"]
    assert len({f["what_to_do"] for f in failures}) == len(failures)
    assert all(f["reason"] == "because" and len(f["what_to_do"]) > 20 for f in failures)


def test_names_with_newlines_quotes_and_commas_stay_in_their_cell(tmp_path: Path) -> None:
    name = '/m/a "b", c\nd\r\n;e.png'
    failures, scores = _write(tmp_path, [_row(uri=name), _row()])
    assert [row["uri"] for row in failures] == [row["uri"] for row in scores] == [name, "/m/a"]
