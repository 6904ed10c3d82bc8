"""Media in a store are read through temporary copies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake.errors import MediaTooLargeError, StoreError
from deepfake.storage import StorePath, medium_exists, medium_file, stat_medium
from deepfake.storage import media as module
from tests.paths import CHECKOUT


def test_a_local_medium_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1")
    with medium_file(str(path), max_bytes=0) as found:
        assert found == path
    assert stat_medium(str(path)) == (1, path.stat().st_mtime_ns)
    assert medium_exists(str(path))
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    assert medium_exists(str(tmp_path / "link")) and not medium_exists(str(tmp_path / "gone"))


@pytest.mark.parametrize("has_handles", [True, False])
def test_an_object_is_read_through_a_copy(
    bucket: StorePath, has_handles: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not has_handles:
        monkeypatch.setattr(module, "_HANDLES", tmp_path / "nothing")
    content = os.urandom(2500)
    (bucket / "x").write_bytes(content)
    with medium_file((bucket / "x").uri, max_bytes=2500) as found:
        assert found.read_bytes() == content
        assert found.stat().st_size == 2500
        assert len(list(tmp_path.iterdir())) == (0 if has_handles else 1)
    assert list(tmp_path.iterdir()) == []
    stat = (bucket / "x").stat()
    assert stat_medium((bucket / "x").uri) == (stat.size_bytes, stat.mtime_ns)
    assert medium_exists((bucket / "x").uri) and not medium_exists((bucket / "y").uri)


def test_what_is_too_large_is_not_fetched(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bucket / "x").write_bytes(b"12345")
    monkeypatch.setattr(StorePath, "read_bytes", None)
    with (
        pytest.raises(MediaTooLargeError, match="5 bytes, at most 4"),
        medium_file((bucket / "x").uri, max_bytes=4),
    ):
        pass


def test_what_is_gone_is_gone(bucket: StorePath) -> None:
    with pytest.raises(FileNotFoundError), medium_file((bucket / "x").uri, max_bytes=4):
        pass


def test_an_object_that_changes_while_it_is_fetched_is_not_read(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 2)
    path = bucket / "x"
    path.write_bytes(b"1234")
    read = StorePath.read_bytes

    def grow(self: StorePath, start: int | None = None, end: int | None = None) -> bytes:
        found = read(self, start, end)
        self.write_bytes(read(self) + b"more")
        return found

    monkeypatch.setattr(StorePath, "read_bytes", grow)
    with pytest.raises(StoreError, match="was changed"), medium_file(path.uri, max_bytes=100):
        pass
    monkeypatch.setattr(StorePath, "read_bytes", lambda *_: b"")
    with pytest.raises(StoreError, match="ended early"), medium_file(path.uri, max_bytes=100):
        pass


def test_a_process_that_is_killed_leaves_no_copy(tmp_path: Path) -> None:
    program = (
        "import os, signal\n"
        "from deepfake.storage import location_of, medium_file\n"
        "path = location_of('memory://bucket/x')\n"
        "path.write_bytes(b'1')\n"
        "with medium_file(path.uri, max_bytes=1) as found:\n"
        "    assert found.read_bytes() == b'1'\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        check=False,
    )
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []
