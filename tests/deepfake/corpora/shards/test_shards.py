"""Shards and snapshots: they are read as written, or not at all."""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake.config import CropConfig, ExtractConfig
from deepfake.corpora.shards import (
    FACES,
    OUTCOMES_SCHEMA,
    RECORD_SCHEMAS,
    CropReader,
    Shard,
    Snapshot,
    crop_records,
    has_snapshot,
    list_shards,
    open_snapshot,
    read_shard,
    set_latest,
    shard_outcomes,
    write_shard,
    write_snapshot,
)
from deepfake.errors import ShardError
from deepfake.media import decode_crop, encode_crop
from deepfake.storage import DataRoot
from deepfake.types import Face, FaceCrop, Outcome, Status

_SHARD_SCHEMA = RECORD_SCHEMAS[FACES].shard
KEY = "0123456789abcdef"
DIGEST = "fedcba9876543210"
_POINTS = tuple((float(i), float(2 * i)) for i in range(5))


def _media_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def _crop(seed: int) -> FaceCrop:
    return FaceCrop(
        encoded=encode_crop(_pixels(seed), config=CropConfig(codec="png")),
        face=Face((1.5, 2.5, 30.25, 40.75), _POINTS, 0.875),
        track_id=seed % 3,
        pts_seconds=seed / 8,
        frame_index=seed,
        sharpness=12.5,
        brightness=99.5,
    )


def _outcome(name: str, num_faces: int = 0, status: Status = Status.OK) -> Outcome:
    return Outcome(
        uri=f"/corpus/{name}",
        media_id=_media_id(name),
        status=status,
        num_faces=num_faces,
        details={"kind": "video", "codec": "h264", "fps": 25.0},
    )


def _write(corpus_dir: Path, *, key: str = KEY, names: Sequence[str] = ("a", "b")) -> Shard:
    records = [
        record
        for start, name in enumerate(names)
        for record in crop_records(
            _media_id(name), "video", [_crop(10 * start + i) for i in range(3)], frame_wh=(64, 48)
        )
    ]
    outcomes = [_outcome(name, 3) for name in names]
    return write_shard(corpus_dir, key=key, records=records, outcomes=outcomes)


def _snapshot(corpus_dir: Path, parts: Sequence[Shard], names: Sequence[str]) -> Snapshot:
    media = [
        {"media_id": _media_id(n), "uri": f"/corpus/{n}", "corpus": "c", "label": "real"}
        for n in names
    ]
    return write_snapshot(
        corpus_dir,
        corpus="c",
        digest=DIGEST,
        media=media,
        outcomes=[{**m, "status": "ok", "num_faces": 3} for m in media],
        shards=parts,
        description={"config": ExtractConfig().model_dump(mode="json")},
    )


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    return DataRoot(tmp_path)


@pytest.fixture
def corpus_dir(root: DataRoot) -> Path:
    return root.corpus_shards("c")


def test_a_crop_comes_back_as_it_went_in(corpus_dir: Path) -> None:
    part = _write(corpus_dir)
    reader = CropReader(corpus_dir)
    shard = f"{part.key}.arrow"
    assert (decode_crop(reader.encoded(shard, 4)) == _pixels(11)).all()
    assert (decode_crop(reader.encoded(shard, 0)) == _pixels(0)).all()
    index = _snapshot(corpus_dir, [part], ["a", "b"]).index()
    row = index.iloc[4]
    assert (row["shard"], row["row"], row["media_id"]) == (shard, 4, _media_id("b"))
    assert row["crop_id"] == f"{_media_id('b')[:16]}-000011-002"
    assert row["bbox_xyxy"].tolist() == [1.5, 2.5, 30.25, 40.75]
    assert row["landmarks"].tolist() == [v for point in _POINTS for v in point]
    assert (row["face_px"], row["confidence"], row["pts_seconds"]) == (38.25, 0.875, 11 / 8)
    assert (row["frame_width"], row["frame_height"]) == (64, 48)
    assert row["shard_sha256"] == part.sha256


def test_crops_are_read_without_a_copy(corpus_dir: Path) -> None:
    shard = f"{_write(corpus_dir).key}.arrow"
    size = (corpus_dir / "parts" / shard).stat().st_size
    before = pa.total_allocated_bytes()
    reader = CropReader(corpus_dir)
    views = [reader.encoded(shard, row) for row in range(6)]
    assert pa.total_allocated_bytes() - before < size / 4
    assert all(view.readonly for view in views)
    first, again = (np.frombuffer(reader.encoded(shard, 0), np.uint8) for _ in range(2))
    assert first.__array_interface__["data"][0] == again.__array_interface__["data"][0]


def test_a_shard_of_several_chunks_is_read_whole(corpus_dir: Path) -> None:
    """Arrow splits what is over 2 GiB."""
    part = _write(corpus_dir)
    path = corpus_dir / "parts" / f"{part.key}.arrow"
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    chunked = path.with_name("1111111111111111.arrow")
    with pa.OSFile(str(chunked), "wb") as sink, pa.ipc.new_file(sink, _SHARD_SCHEMA) as writer:
        writer.write_table(table, max_chunksize=2)
    reader = CropReader(corpus_dir)
    whole = [bytes(reader.encoded(path.name, row)) for row in range(6)]
    assert [bytes(reader.encoded(chunked.name, row)) for row in range(6)] == whole


def _read_bytes(reader: CropReader, shard: str, row: int) -> bytes:
    return bytes(reader.encoded(shard, row))


def test_a_reader_goes_to_another_process(corpus_dir: Path) -> None:
    shard = f"{_write(corpus_dir).key}.arrow"
    reader = CropReader(corpus_dir)
    here = _read_bytes(reader, shard, 2)
    sent = pickle.dumps(reader)
    assert len(sent) < 1000, "an open shard must stay behind"
    assert _read_bytes(pickle.loads(sent), shard, 2) == here
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert bytes(pool.apply(bytes, [list(here)])) == here
        assert pool.apply(CropReader.__getstate__, [reader]) == reader.__getstate__()


@pytest.mark.parametrize(
    "shard",
    [
        "../parts/0123456789abcdef.arrow",
        "/etc/passwd",
        "..",
        "",
        "0123456789abcdef.arrow\n",
        "0123456789abcdef.arrow/../../../x",
        "0123456789ABCDEF.arrow",
        "0123456789abcdef",
    ],
)
def test_a_name_in_an_index_cannot_leave_its_folder(corpus_dir: Path, shard: str) -> None:
    _write(corpus_dir)
    with pytest.raises(ShardError, match="not the name of a shard"):
        CropReader(corpus_dir).encoded(shard, 0)


@pytest.mark.parametrize("row", [-1, 6, 10**9])
def test_a_row_that_is_not_there(corpus_dir: Path, row: int) -> None:
    shard = f"{_write(corpus_dir).key}.arrow"
    with pytest.raises(ShardError, match=r"0\.\.5"):
        CropReader(corpus_dir).encoded(shard, row)


def test_a_shard_that_is_not_there_or_not_arrow(corpus_dir: Path) -> None:
    with pytest.raises(ShardError, match="cannot be read"):
        CropReader(corpus_dir).encoded(f"{KEY}.arrow", 0)
    path = corpus_dir / "parts" / f"{KEY}.arrow"
    path.parent.mkdir(parents=True)
    for content in (b"", b"no arrow at all", b"ARROW1\0\0"):
        path.write_bytes(content)
        with pytest.raises(ShardError, match="cannot be read"):
            CropReader(corpus_dir).encoded(path.name, 0)


def test_a_shard_of_another_version_is_refused(corpus_dir: Path) -> None:
    path = corpus_dir / "parts" / f"{KEY}.arrow"
    path.parent.mkdir(parents=True)
    later = _SHARD_SCHEMA.with_metadata({"schema": "deepfake.shard", "schema_version": "2"})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, later) as writer:
        writer.write_table(later.empty_table())
    with pytest.raises(ShardError, match="not a shard of this version"):
        CropReader(corpus_dir).encoded(path.name, 0)


@pytest.mark.parametrize("what", ["index.parquet", "outcomes.parquet"])
def test_a_snapshot_of_another_version_is_refused(corpus_dir: Path, what: str) -> None:
    snapshot = _snapshot(corpus_dir, [_write(corpus_dir)], ["a", "b"])
    path = snapshot.folder / what
    table = pq.read_table(path)
    metadata = {**table.schema.metadata, b"schema_version": b"9"}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(ShardError, match=r"deepfake.*9.*is not.*[12]"):
        snapshot.index() if what.startswith("index") else snapshot.outcomes()


def test_a_part_reads_back_as_it_was_written(corpus_dir: Path) -> None:
    part = _write(corpus_dir)
    assert read_shard(corpus_dir, KEY) == part
    assert part.num_crops == 6
    assert list_shards(corpus_dir) == {KEY: (_media_id("a"), _media_id("b"))}
    rows = shard_outcomes(corpus_dir, KEY)
    assert [row["uri"] for row in rows] == ["/corpus/a", "/corpus/b"]
    assert (rows[0]["status"], rows[0]["codec"], rows[0]["fps"]) == ("ok", "h264", 25.0)


def test_a_part_without_crops_is_a_part(corpus_dir: Path) -> None:
    part = write_shard(
        corpus_dir, key=KEY, records=[], outcomes=[_outcome("a", status=Status.NO_FACE)]
    )
    assert read_shard(corpus_dir, KEY) == part
    assert _snapshot(corpus_dir, [part], ["a"]).index().empty
    with pytest.raises(ShardError, match="row 0"):
        CropReader(corpus_dir).encoded(f"{KEY}.arrow", 0)


def test_writing_a_part_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert _write(tmp_path / "one") == _write(tmp_path / "two")


@pytest.mark.parametrize(
    "damage",
    ["flip", "truncate", "delete", "no outcomes", "bad outcomes", "bad digest", "bad column name"],
)
def test_a_damaged_part_is_not_finished(corpus_dir: Path, damage: str) -> None:
    part = _write(corpus_dir)
    snapshot = _snapshot(corpus_dir, [part], ["a", "b"])
    assert snapshot.missing_shards() == []
    shard = corpus_dir / "parts" / f"{KEY}.arrow"
    outcomes = corpus_dir / "parts" / f"{KEY}.outcomes.parquet"
    content = bytearray(shard.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    elif damage == "truncate":
        shard.write_bytes(content[:-8])
    elif damage == "delete":
        shard.unlink()
    elif damage == "no outcomes":
        outcomes.unlink()
    elif damage == "bad column name":
        outcomes.write_bytes(outcomes.read_bytes().replace(b"media_id", b"\x95" * 8))
    elif damage == "bad digest":
        table = pq.ParquetFile(outcomes).read()
        metadata = {**table.schema.metadata, b"shard_sha256": b"\xff" * 64}
        pq.write_table(table.replace_schema_metadata(metadata), outcomes)
    else:
        outcomes.write_bytes(b"PAR1 no")
    assert read_shard(corpus_dir, KEY) is None
    is_shard_hurt = damage in {"flip", "truncate", "delete"}
    assert snapshot.missing_shards() == ([shard.name] if is_shard_hurt else [])


def test_an_index_whose_column_name_is_no_text_is_damaged(corpus_dir: Path) -> None:
    snapshot = _snapshot(corpus_dir, [_write(corpus_dir)], ["a", "b"])
    path = snapshot.folder / "index.parquet"
    path.write_bytes(path.read_bytes().replace(b"shard_sha256", b"\x95" * 12))
    with pytest.raises(ShardError, match="not a readable Parquet file"):
        snapshot.missing_shards()


def test_a_lost_shard_leaves_word_of_its_media(corpus_dir: Path) -> None:
    _write(corpus_dir)
    (corpus_dir / "parts" / f"{KEY}.arrow").unlink()
    assert list_shards(corpus_dir) == {KEY: (_media_id("a"), _media_id("b"))}


def test_a_failed_write_leaves_nothing(corpus_dir: Path) -> None:
    bad: list[dict[str, Any]] = [{"crop_id": 7, "encoded": "text"}]
    with pytest.raises((pa.ArrowException, TypeError)):
        write_shard(corpus_dir, key=KEY, records=bad, outcomes=[_outcome("a")])
    assert not list(corpus_dir.rglob("*.arrow*"))
    assert read_shard(corpus_dir, KEY) is None


def test_the_index_is_written_last(corpus_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = _write(corpus_dir)
    written: list[str] = []
    from deepfake.corpora.shards import snapshots

    for name in ("write_table", "write_json"):
        whole = getattr(snapshots, name)
        monkeypatch.setattr(
            snapshots, name, lambda p, v, whole=whole: (written.append(p.name), whole(p, v))
        )
    _snapshot(corpus_dir, [part], ["a", "b"])
    assert written[-1] == "index.parquet"
    assert set(written) == {"index.parquet", "outcomes.parquet", "snapshot.json"}


def test_a_snapshot_over_two_parts(root: DataRoot, corpus_dir: Path) -> None:
    later = _write(corpus_dir, key="2222222222222222", names=["a"])
    sooner = _write(corpus_dir, key="1111111111111111", names=["z"])
    snapshot = _snapshot(corpus_dir, [sooner, later], ["a", "z"])
    index = snapshot.index()
    assert index["uri"].tolist() == ["/corpus/a"] * 3 + ["/corpus/z"] * 3
    assert index.columns.tolist() == RECORD_SCHEMAS[FACES].index.names
    assert snapshot.outcomes().columns.tolist() == OUTCOMES_SCHEMA.names
    assert snapshot.config == ExtractConfig()
    reader = snapshot.reader()
    for row in index.itertuples():
        assert decode_crop(reader.encoded(row.shard, row.row)).shape == (32, 32, 3)
    set_latest(corpus_dir, snapshot.digest)
    assert open_snapshot(root, "c") == snapshot
    assert has_snapshot(corpus_dir, DIGEST)


def test_media_that_nobody_names_stay_out_of_the_index(corpus_dir: Path) -> None:
    index = _snapshot(corpus_dir, [_write(corpus_dir)], ["b"]).index()
    assert index["uri"].unique().tolist() == ["/corpus/b"]
    assert index["row"].tolist() == [3, 4, 5]


def test_opening_what_is_not_there(root: DataRoot, corpus_dir: Path) -> None:
    with pytest.raises(ShardError, match=r"no corpus 'c'.*there are: none"):
        open_snapshot(root, "c")
    snapshot = _snapshot(corpus_dir, [_write(corpus_dir)], ["a", "b"])
    with pytest.raises(ShardError, match="0000000000000000 does not exist"):
        open_snapshot(root, "c", digest="0" * 16)
    assert open_snapshot(root, "c", digest=DIGEST) == snapshot
    with pytest.raises(ShardError, match="not the digest"):
        open_snapshot(root, "c", digest="../../elsewhere")
    (corpus_dir / "latest").write_text("../x\n", encoding="utf-8")
    with pytest.raises(ShardError, match="not the digest"):
        open_snapshot(root, "c")
    with pytest.raises(ShardError, match=r"no corpus 'other'.*there are: c"):
        open_snapshot(root, "other")


def test_a_snapshot_half_written_is_none(corpus_dir: Path) -> None:
    snapshot = _snapshot(corpus_dir, [_write(corpus_dir)], ["a", "b"])
    (snapshot.folder / "index.parquet").unlink()
    assert not has_snapshot(corpus_dir, DIGEST)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0" * 16, b"0123456789abcdef0"])
def test_a_latest_that_names_no_snapshot(root: DataRoot, corpus_dir: Path, content: bytes) -> None:
    corpus_dir.mkdir(parents=True)
    (corpus_dir / "latest").write_bytes(content)
    with pytest.raises(ShardError, match="not the digest"):
        open_snapshot(root, "c")


@pytest.mark.parametrize("text", ["[]", '"x"', "{}", '{"config": 7}', '{"config": {"odd": 1}}'])
def test_an_invalid_description_is_an_error(corpus_dir: Path, text: str) -> None:
    snapshot = _snapshot(corpus_dir, [_write(corpus_dir)], ["a", "b"])
    (snapshot.folder / "snapshot.json").write_text(text, encoding="utf-8")
    with pytest.raises(ShardError, match=r"settings are damaged|does not describe"):
        snapshot.config  # noqa: B018


def test_a_shard_of_other_columns_is_refused(corpus_dir: Path) -> None:
    path = corpus_dir / "parts" / f"{KEY}.arrow"
    path.parent.mkdir(parents=True)
    other = pa.schema([pa.field("encoded", pa.int64())], metadata=_SHARD_SCHEMA.metadata)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, other) as writer:
        writer.write_table(pa.table({"encoded": [1]}, schema=other))
    with pytest.raises(ShardError, match="not a shard of this version"):
        CropReader(corpus_dir).encoded(path.name, 0)


def test_a_shard_whose_values_lie_elsewhere_is_refused(corpus_dir: Path) -> None:
    _write(corpus_dir)
    path = corpus_dir / "parts" / f"{KEY}.arrow"
    column = pa.ipc.open_file(pa.memory_map(str(path))).read_all()["encoded"].chunk(0)
    ends = np.frombuffer(column.buffers()[1], np.int32)[: len(column) + 1]
    data = path.read_bytes()
    wrong = ends.copy()
    wrong[1:] += 2**30
    assert data.count(ends.tobytes()) == 1
    path.write_bytes(data.replace(ends.tobytes(), wrong.tobytes()))
    with pytest.raises(ShardError, match="cannot be read"):
        CropReader(corpus_dir).encoded(path.name, 0)
