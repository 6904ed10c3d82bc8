"""Damaged Parquet files are errors of ours, wherever the damage is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake.errors import DataError
from deepfake.storage import check_schema, read_table

_SCHEMA = pa.schema([("number", pa.int64())], metadata={"schema": "test", "schema_version": "1"})


def damage_column_name(path: Path, name: str) -> None:
    """Put bytes that are not UTF-8 into a column's name, wherever the file has it."""
    content = path.read_bytes()
    assert name.encode() in content
    path.write_bytes(content.replace(name.encode(), b"\x95" * len(name)))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"number": [1]}, _SCHEMA), path)
    return path


def test_a_column_whose_name_is_no_text_is_damage(table: Path) -> None:
    check_schema(table, _SCHEMA)
    damage_column_name(table, "number")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        check_schema(table, _SCHEMA)
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_table(table, schema=_SCHEMA)


def test_what_is_not_there_or_no_table_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_table(tmp_path / "absent.parquet", schema=_SCHEMA)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        check_schema(tmp_path / "text.parquet", _SCHEMA)
