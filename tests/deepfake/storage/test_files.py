"""Atomic writes, and reading with a schema."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from deepfake.corpora.manifest import MANIFEST_SCHEMA, read_manifest, write_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DataError, ManifestError, UnreadableMediaError
from deepfake.storage import (
    DataRoot,
    atomic_path,
    path_of_uri,
    read_json,
    read_table,
    sha256_of,
    to_uri,
    write_json,
    write_table,
    write_text,
)
from deepfake.types import Kind, Label, Split, Status

_SCHEMA = pa.schema([("x", pa.int64())], metadata={"schema": "test", "schema_version": "1"})


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a" / "b.txt", "old")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half of the n")
        assert path.read_text() == "old"
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_nothing_has_the_name_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "shard.arrow"
    with atomic_path(path) as part:
        part.write_bytes(b"1")
        assert not list(tmp_path.glob("*.arrow"))
        assert part.name.endswith(".part")
    assert path.read_bytes() == b"1"


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "x"
    texts = [str(i) * 200_000 for i in range(8)]
    threads = [threading.Thread(target=write_text, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_sorted_and_has_no_nan(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"b": 1, "a": [None, "ü"]})
    assert read_json(path) == {"b": 1, "a": [None, "ü"]}
    assert path.read_text().index('"a"') < path.read_text().index('"b"')
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "nan.json", {"x": float("nan")})
    assert not (tmp_path / "nan.json").exists()


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"[NaN]", b'{"x": -Infinity}']
)
def test_invalid_json_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable JSON"):
        read_json(path)


def test_a_table_comes_back(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2]}, schema=_SCHEMA)
    assert read_table(write_table(tmp_path / "t.parquet", table), schema=_SCHEMA) == table


@pytest.mark.parametrize(
    "metadata", [None, {"schema": "test", "schema_version": "2"}, {"schema": "other"}]
)
def test_an_unknown_schema_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    other = pa.table({"x": [1]}, schema=_SCHEMA.with_metadata(metadata))
    path = write_table(tmp_path / "t.parquet", other)
    with pytest.raises(DataError, match="is not test 1") as caught:
        read_table(path, schema=_SCHEMA)
    assert caught.value.hint


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"PAR1" * 100])
def test_an_invalid_table_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_table(path, schema=_SCHEMA)


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "big"
    content = os.urandom(3 * 2**20 + 7)
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
    for unreadable in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UnreadableMediaError, match="cannot be read"):
            sha256_of(unreadable)


def test_a_key_is_absolute_and_keeps_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    assert to_uri("link/../link/x y.mp4") == f"{tmp_path.as_posix()}/link/x y.mp4"
    assert path_of_uri(to_uri("ä.mp4")) == tmp_path / "ä.mp4"
    with pytest.raises(DataError, match="'s3'"):
        path_of_uri("s3://secret:key@bucket/x")


def test_the_layout_is_the_contracts() -> None:
    root = DataRoot(Path("data"))
    assert root.manifest("c") == Path("data/manifests/c.parquet")
    assert root.corpus_shards("c") == Path("data/shards/c")
    assert root.prefect_home == Path("data/.prefect")


def _full_row(uri: str) -> ManifestRow:
    return ManifestRow(
        uri=uri,
        corpus="c",
        media_id="0" * 64,
        kind=Kind.VIDEO,
        size_bytes=2**40,
        mtime_ns=2**60,
        label=Label.FAKE,
        method="Deepfakes",
        split=Split.VAL,
        status=Status.DECODE_ERROR,
        message="ü",
        fps=29.97,
        has_audio=False,
    )


def test_a_manifest_comes_back_sorted(tmp_path: Path) -> None:
    rows = [_full_row("/b"), ManifestRow(uri="/a", corpus="c"), _full_row("/ä")]
    found = read_manifest(write_manifest(tmp_path / "m.parquet", rows))
    assert found == sorted(rows, key=lambda row: row.uri)
    assert isinstance(found[1].label, Label)
    assert isinstance(found[1].status, Status)


def test_a_manifest_holds_the_columns_of_the_contract() -> None:
    assert {
        *("uri", "media_id", "kind", "size_bytes", "mtime_ns", "label", "method", "source_id"),
        *("target_id", "identity", "group", "corpus", "compression", "split", "status", "codec"),
        *("width", "height", "rotation", "fps", "num_frames", "duration_seconds", "has_audio"),
    } <= set(MANIFEST_SCHEMA.names)


def test_a_manifest_names_each_file_once(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="twice"):
        write_manifest(tmp_path / "m.parquet", [_full_row("/a"), _full_row("/a")])
    assert not list(tmp_path.iterdir())


def test_a_foreign_manifest_is_refused(tmp_path: Path) -> None:
    table = pa.table({"uri": ["/a"]}, schema=pa.schema([("uri", pa.string())]))
    path = write_table(tmp_path / "m.parquet", table)
    with pytest.raises(ManifestError, match=r"deepfake\.manifest 2"):
        read_manifest(path)


def test_columns_of_other_types_are_refused(tmp_path: Path) -> None:
    """Whatever its metadata say: what reads the rows counts on their types."""
    for columns in ({"x": pa.array(["1"])}, {"y": pa.array([1])}, {}):
        table = pa.table(columns).replace_schema_metadata(_SCHEMA.metadata)
        path = write_table(tmp_path / "t.parquet", table)
        with pytest.raises(DataError, match="columns are not those"):
            read_table(path, schema=_SCHEMA)


def test_a_table_of_more_rows_than_bytes_is_refused(tmp_path: Path) -> None:
    """Run lengths make a billion rows of some bytes."""
    table = pa.table({"x": pa.array(np.zeros(3_000_000, np.int64))}, schema=_SCHEMA)
    path = write_table(tmp_path / "t.parquet", table)
    with pytest.raises(DataError, match="3,000,000 rows are declared in"):
        read_table(path, schema=_SCHEMA)


@pytest.mark.parametrize("changes", [{"status": "odd"}, {"status": None}, {"uri": None}])
def test_a_manifest_of_rows_without_sense_is_refused(
    tmp_path: Path, changes: dict[str, str | None]
) -> None:
    path = write_manifest(tmp_path / "m.parquet", [ManifestRow("/m/a.mp4", "m")])
    (row,) = read_table(path, schema=MANIFEST_SCHEMA).to_pylist()
    write_table(path, pa.Table.from_pylist([row | changes], schema=MANIFEST_SCHEMA))
    with pytest.raises(ManifestError, match="invalid row"):
        read_manifest(path)
