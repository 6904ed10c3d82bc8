"""Further kinds of records have schemas of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from deepfake.corpora.shards import write_shard, write_snapshot
from deepfake.corpora.shards.schemas import RECORD_SCHEMAS, record_schemas
from deepfake.errors import DataError
from deepfake.types import Outcome, Status

KEY = "0123456789abcdef"

_WINDOW_FIELDS = [pa.field("channel", pa.int32()), pa.field("duration_seconds", pa.float64())]


def _window(media_id: str, number: int) -> dict[str, Any]:
    return {
        "crop_id": f"{media_id}-{number}",
        "media_id": media_id,
        "kind": "video",
        "pts_seconds": number * 2.0,
        "channel": 0,
        "duration_seconds": 2.0,
        "encoded": f"{media_id} {number}".encode(),
    }


def test_a_further_kind_of_evidence_has_records_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = record_schemas(_WINDOW_FIELDS, order=("channel", "pts_seconds"), suffix=".voice")
    monkeypatch.setitem(RECORD_SCHEMAS, "voice", own)
    records = [_window("a", number) for number in (1, 0)]
    outcomes = [Outcome("/a.mp4", "a", Status.OK, num_faces=2)]
    shard = write_shard(tmp_path, key=KEY, records=records, outcomes=outcomes, kind="voice")
    snapshot = write_snapshot(
        tmp_path,
        corpus="c",
        digest="0" * 16,
        media=[{"media_id": "a", "uri": "/a.mp4", "corpus": "c"}],
        outcomes=[],
        shards=[shard],
        description={},
        kind="voice",
    )
    index = snapshot.index()
    assert index.columns.tolist() == own.index.names
    assert "bbox_xyxy" not in index.columns
    assert index["pts_seconds"].tolist() == [0.0, 2.0], "sorted as its kind is"
    first = index.iloc[0]
    assert bytes(snapshot.reader().encoded(first["shard"], int(first["row"]))) == b"a 0"


def test_a_record_with_a_column_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column for mood"):
        write_shard(tmp_path, key=KEY, records=[{"crop_id": "x", "mood": 1}], outcomes=[])
    with pytest.raises(DataError, match="no column for channel"):
        write_shard(tmp_path, key=KEY, records=[_window("a", 0)], outcomes=[])
