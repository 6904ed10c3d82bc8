"""Objects in a store behave like files that are written atomically."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from deepfake.errors import ConfigError, DataError, StoreError
from deepfake.storage import (
    DataRoot,
    StorePath,
    atomic_path,
    copy_folder_locally,
    folders_in,
    local_path,
    location_of,
    read_json,
    remove_folder,
    to_uri,
    write_json,
)
from deepfake.storage.filesystems import _opened
from deepfake.storage.stores import ObjectStat, _stat_of


def test_a_text_names_a_path_or_an_object() -> None:
    assert location_of("data/x") == Path("data/x")
    assert location_of("/a: b/c") == Path("/a: b/c")
    assert location_of(Path("data")) == Path("data")
    found = location_of("memory://bucket/a b/c/")
    assert isinstance(found, StorePath)
    assert (found.uri, found.name, found.parent.uri) == (
        "memory://bucket/a b/c",
        "c",
        "memory://bucket/a b",
    )
    assert found.parent.parent.parent.uri == "memory://bucket"
    assert to_uri(found) == str(found) == found.uri
    assert (found / "d").relative_to(found.parent) == "c/d"
    assert location_of(found) is found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3:/bucket/x", "a store URI with one slash"),
        ("file:///tmp/x", "'file' is not the scheme of an object store"),
        ("https://host/x", "'https' is not the scheme of an object store"),
        ("nonsense://host/x", "'nonsense' is not the scheme of an object store"),
        ("memory://", "expected memory://bucket/name"),
        ("memory:///x", "expected memory://bucket/name"),
        ("zip://x::memory://bucket/x", "'zip' is not the scheme"),
        ("memory://bucket/x::y", "expected memory://bucket/name"),
    ],
)
def test_what_names_neither_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        location_of(text)


def test_a_uri_that_became_a_path_never_becomes_a_folder() -> None:
    for make in (location_of, DataRoot, local_path):
        with pytest.raises(ConfigError, match="a store URI with one slash"):
            make(Path("s3://bucket/x"))
    with pytest.raises(ConfigError, match="expected a local file"):
        local_path("memory://bucket/x")


def test_credentials_in_a_uri_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        location_of("s3://key:secret@bucket/x")
    assert "secret" not in f"{caught.value}{caught.value.hint}"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys.modules["fsspec.registry"], "_registry", {})
    _opened.cache_clear()
    for uri, hint in (("s3://b/x", "deepfake-pipeline[s3]"), ("gs://b/x", "pip install gcsfs")):
        with pytest.raises(ConfigError, match="no package that reads") as caught:
            location_of(uri)
        assert hint in str(caught.value.hint)


def test_what_is_put_is_there(bucket: StorePath) -> None:
    path = bucket / "a" / "x?y#z %41 ü\n.json"
    assert not path.exists()
    write_json(path, {"x": 1})
    assert path.is_file() and path.exists() and not path.is_dir()
    assert bucket.is_dir() and not bucket.is_file()
    assert read_json(path) == {"x": 1}
    assert path.stat().size_bytes == len(path.read_bytes())
    assert path.read_bytes(2, 5) == path.read_bytes()[2:5]
    with path.open() as stream:
        assert stream.read() == path.read_bytes()
    path.copy_to(bucket / "copy")
    assert (bucket / "copy").read_bytes() == path.read_bytes()
    path.unlink()
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        path.unlink()
    with pytest.raises(DataError, match="not a readable JSON file"):
        read_json(path)


def test_a_write_that_fails_puts_nothing(bucket: StorePath) -> None:
    with pytest.raises(RuntimeError), atomic_path(bucket / "x") as local:
        local.write_text("half")
        raise RuntimeError
    assert not (bucket / "x").exists()


def test_a_new_object_is_not_put_over_another(bucket: StorePath) -> None:
    (bucket / "x").write_bytes(b"1", is_new=True)
    with pytest.raises(FileExistsError):
        (bucket / "x").write_bytes(b"2", is_new=True)
    assert (bucket / "x").read_bytes() == b"1"


def test_listing_and_matching(bucket: StorePath) -> None:
    for name in ("a.json", "b.txt", "c/a.json", "c/d/e.json", "ab/x"):
        (bucket / name).write_bytes(b"12")
    listed = {path.relative_to(bucket): stat.size_bytes for path, stat in bucket.iter_objects()}
    assert listed == dict.fromkeys(("a.json", "b.txt", "c/a.json", "c/d/e.json", "ab/x"), 2)
    assert [p.name for p in bucket.glob("*.json")] == ["a.json"]
    assert [p.relative_to(bucket) for p in bucket.glob("*/*.json")] == ["c/a.json"]
    assert [p.name for p in (bucket / "a").glob("*")] == [], "a is not the beginning of ab"


def test_another_content_in_the_same_second_has_another_time() -> None:
    def stat_with_tag(tag: str) -> ObjectStat:
        return _stat_of({"LastModified": "2026-01-01T00:00:00+00:00", "ETag": tag, "size": 5})

    assert stat_with_tag('"a"').mtime_ns != stat_with_tag('"b"').mtime_ns
    assert stat_with_tag('"a"') == stat_with_tag("a")
    assert abs(int(stat_with_tag("a").mtime_ns or 0) - 1767225600 * 10**9) < 10**9
    assert _stat_of({"size": 1}) == ObjectStat(1, None, "")
    assert _stat_of({"mtime": 1.5, "size": 1}) == ObjectStat(1, 1_500_000_000, "1500000000")


def test_errors_of_a_store_are_translated(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(fsspec.filesystem("memory"))
    for error, message in (
        (PermissionError("Access Denied"), "denies access"),
        (ConnectionResetError("gone"), "ConnectionResetError: gone"),
        (ValueError(""), "no message"),
    ):
        for name in ("info", "cat_file", "pipe_file", "put_file", "rm_file", "ls"):
            monkeypatch.setattr(store, name, _raising(error))
        for act in (
            (bucket / "x").stat,
            (bucket / "x").read_bytes,
            lambda: (bucket / "x").write_bytes(b""),
            (bucket / "x").unlink,
            lambda: list(bucket.iter_objects()),
        ):
            with pytest.raises(StoreError, match=message):
                act()
    monkeypatch.setattr(store, "pipe_file", _raising(NotImplementedError()))
    with pytest.raises(ConfigError, match="does not support this operation"):
        (bucket / "x").write_bytes(b"")


def _raising(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def test_a_folder_comes_here_as_a_whole(bucket: StorePath) -> None:
    (bucket / "detector" / "a").write_bytes(b"1")
    (bucket / "detector" / "b").write_bytes(b"22")
    (bucket / "detector" / "deeper" / "c").write_bytes(b"333")
    found = copy_folder_locally(bucket / "detector")
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {"a": b"1", "b": b"22"}
    assert copy_folder_locally(bucket / "detector") == found
    with pytest.raises(FileNotFoundError):
        copy_folder_locally(bucket / "nothing")


@pytest.mark.parametrize("is_store", [False, True])
def test_folders_are_listed_and_removed_alike(
    bucket: StorePath, tmp_path: Path, is_store: bool
) -> None:
    place = bucket / "top" if is_store else tmp_path / "top"
    assert folders_in(place) == []
    for name in ("a/x", "a/deep/y", "b/deep/z", "file"):
        with atomic_path(place / name) as part:
            part.write_text(name)
    assert folders_in(place) == ["a", "b"]
    assert remove_folder(place / "a") and not remove_folder(place / "a")
    assert folders_in(place) == ["b"]
    assert (place / "b" / "deep" / "z").read_text() == "b/deep/z"
    assert (place / "file").is_file()
