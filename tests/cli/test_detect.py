"""What `deepfake` says of wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.product import run_deepfake


@pytest.mark.parametrize("name", ["absent.mp4", "dangling.mp4", "file.png/inside.mp4"])
def test_name_of_nothing_is_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "file.png").write_bytes(b"x")
    done = run_deepfake("detect", tmp_path / "file.png", name, cwd=tmp_path)
    assert done.returncode == 2
    assert f"no such file: {name}" in done.stderr
    assert not done.stdout


def test_detect_without_files_is_wrong_usage(tmp_path: Path) -> None:
    done = run_deepfake("detect", cwd=tmp_path)
    assert done.returncode == 2
    assert "FILE" in done.stderr
