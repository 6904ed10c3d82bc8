"""Uploads lie on disk while they are looked at, for their owner alone, and never longer."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake.views.webapp.upload_folder import UploadFolder


def test_an_upload_is_there_while_it_is_looked_at(tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path)
    assert stat.S_IMODE(uploads.folder.stat().st_mode) == 0o700
    with uploads.saved(b"bytes", name="../../Anna's video.MP4") as path:
        assert path.read_bytes() == b"bytes"
        assert path.parent == uploads.folder and path.suffix == ".MP4"
        assert "Anna" not in path.name
    assert list(uploads.folder.iterdir()) == []
    uploads.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x", "x.", ".hidden", "x.a/b", "x." + "y" * 9, "x.\u202e4pm"])
def test_an_ending_that_is_none_is_left_out(name: str, tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path)
    with uploads.saved(b"", name=name) as path:
        assert path.suffix == "" and path.parent == uploads.folder
    uploads.close()


def test_it_goes_when_looking_at_it_fails(tmp_path: Path) -> None:
    uploads = UploadFolder(tmp_path)
    with pytest.raises(ZeroDivisionError), uploads.saved(b"x", name="x.png"):
        raise ZeroDivisionError
    assert list(uploads.folder.iterdir()) == []
    uploads.close()


def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from deepfake.views.webapp.upload_folder import UploadFolder\n"
        "with UploadFolder(pathlib.Path(sys.argv[1])).saved(b'somebody', name='x.png'):\n"
        "    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert [path.read_bytes() for path in left.iterdir()] == [b"somebody"]
    own = tmp_path / f"deepfake-app-{os.getpid()}-other"
    own.mkdir()
    uploads = UploadFolder(tmp_path)
    assert not left.exists() and own.is_dir()
    uploads.close()
