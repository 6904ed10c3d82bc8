"""Local copies: within the size limit, and with the expected content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from deepfake.errors import ConfigError, DataError
from deepfake.storage import (
    LocalCopies,
    StorePath,
    clear_copies,
    local_copy,
    map_threaded,
    max_copies_bytes,
    read_locally,
)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _kept(copies: LocalCopies) -> set[str]:
    return {path.name for path in copies.folder.glob("??/*")}


def test_the_copy_used_longest_ago_goes_first(bucket: StorePath, tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies", max_bytes=250)
    digests = {}
    for at, name in enumerate("abc"):
        content = name.encode() * 100
        (bucket / name).write_bytes(content)
        digests[name] = _sha256(content)
        local = copies.get(bucket / name, sha256=digests[name])
        os.utime(local, (at, at))
        if name == "b":
            copies.get(bucket / "a", sha256=digests["a"])
    assert _kept(copies) == {digests["a"], digests["c"]}


def test_one_that_is_too_large_is_there_alone(bucket: StorePath, tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies", max_bytes=10)
    (bucket / "small").write_bytes(b"x")
    (bucket / "large").write_bytes(b"y" * 100)
    copies.get(bucket / "small")
    assert copies.get(bucket / "large").read_bytes() == b"y" * 100
    assert len(_kept(copies)) == 1


def test_a_damaged_copy_is_fetched_again(bucket: StorePath, tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies", max_bytes=1000)
    (bucket / "x").write_bytes(b"right")
    local = copies.get(bucket / "x", sha256=_sha256(b"right"))
    local.write_bytes(b"wrong")
    assert copies.get(bucket / "x", sha256=_sha256(b"right")).read_bytes() == b"right"


def test_a_damaged_object_is_refused(bucket: StorePath, tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies", max_bytes=1000)
    (bucket / "x").write_bytes(b"wrong")
    with pytest.raises(DataError, match="was changed since it was written"):
        copies.get(bucket / "x", sha256=_sha256(b"right"))
    assert not [path for path in copies.folder.rglob("*") if path.is_file()]


def test_without_a_digest_the_newest_content_is_read(bucket: StorePath) -> None:
    for content in (b"one", b"three"):
        (bucket / "x").write_bytes(content)
        assert read_locally(bucket / "x", Path.read_bytes) == content
    with pytest.raises(FileNotFoundError):
        read_locally(bucket / "nothing", Path.read_bytes)


def test_a_copy_that_was_removed_before_it_was_read_is_fetched_again(bucket: StorePath) -> None:
    (bucket / "x").write_bytes(b"1")
    tries = []

    def read(local: Path) -> bytes:
        tries.append(local)
        if len(tries) == 1:
            local.unlink()
        return local.read_bytes()

    assert read_locally(bucket / "x", read, sha256=_sha256(b"1")) == b"1"
    assert len(tries) == 2


def test_a_local_file_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    assert read_locally(tmp_path / "x", lambda path: path) == tmp_path / "x"


@pytest.mark.parametrize("gib", ["much", "-1", "nan"])
def test_a_size_that_is_none_is_refused(gib: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFAKE_CACHE_GIB", gib)
    with pytest.raises(ConfigError, match="DEEPFAKE_CACHE_GIB"):
        max_copies_bytes()


def test_the_size_is_in_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFAKE_CACHE_GIB", "0.5")
    assert max_copies_bytes() == 2**29


def test_side_by_side_keeps_the_order() -> None:
    assert list(map_threaded(lambda x: x * x, range(100))) == [x * x for x in range(100)]
    with pytest.raises(ZeroDivisionError):
        list(map_threaded(lambda x: 1 // x, [1, 0]))


def test_a_copy_for_one_reader_leaves_nothing(
    bucket: StorePath, tmp_path: Path, cache: Path
) -> None:
    (bucket / "x").write_bytes(b"object")
    with local_copy(bucket / "x") as local:
        assert local.read_bytes() == b"object" and local.name == "x"
    assert not local.exists() and not list(cache.rglob("x"))
    (tmp_path / "y").write_bytes(b"file")
    with local_copy(tmp_path / "y") as same:
        assert same == tmp_path / "y"
    assert same.is_file()
    with pytest.raises(FileNotFoundError), local_copy(bucket / "none"):
        pass


def test_clearing_removes_every_copy_and_nothing_else(bucket: StorePath, cache: Path) -> None:
    assert clear_copies() == 0
    for name in "abc":
        (bucket / name).write_bytes(name.encode())
        assert read_locally(bucket / name, Path.read_bytes) == name.encode()
    (cache / "folders").mkdir()
    assert clear_copies() == 3
    assert list((cache / "copies").glob("??/*")) == []
    assert (cache / "folders").is_dir()
    assert read_locally(bucket / "a", Path.read_bytes) == b"a"
