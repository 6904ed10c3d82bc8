"""What `deepfake` says of wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import run_deepfake


@pytest.mark.parametrize("name", ["absent.mp4", "dangling.mp4", "file.png/inside.mp4"])
def test_name_of_nothing_is_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "file.png").write_bytes(b"x")
    done = run_deepfake("detect", tmp_path / "file.png", name, cwd=tmp_path)
    assert done.returncode == 2
    assert f"no such file or folder: {name}" in done.stderr
    assert not done.stdout


def test_detect_without_files_is_wrong_usage(tmp_path: Path) -> None:
    done = run_deepfake("detect", cwd=tmp_path)
    assert done.returncode == 2
    assert "FILE" in done.stderr


def test_a_corpus_that_is_not_there_is_wrong_usage_before_anything_is_started(
    tmp_path: Path,
) -> None:
    done = run_deepfake("ingest", "absent", "--corpus", "faces", cwd=tmp_path)
    assert done.returncode == 2
    assert "no such file or folder: absent" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_and_a_detector_of_nothing_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run_deepfake("detect", empty, "--weights", "packaged", cwd=tmp_path)
    assert done.returncode == 1
    assert f"no file to look at; in {empty} found no folders and 0 files" in done.stderr
    (empty / "x.png").write_bytes(b"x")
    done = run_deepfake("detect", empty, "--weights", "absent", cwd=tmp_path)
    assert done.returncode == 2
    assert "no such detector: absent" in done.stderr and "models:/NAME@ALIAS" in done.stderr


def test_scores_that_shall_go_where_a_file_is_are_refused(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "x.png").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    to = ["score", "media", "--weights", "packaged", "--output"]
    for output in ("file", "file/below"):
        done = run_deepfake(*to, output, cwd=tmp_path)
        assert done.returncode == 2
        assert "error: the folder for the scores cannot be created" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
