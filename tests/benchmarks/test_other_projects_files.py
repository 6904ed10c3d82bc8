"""The comparison with other projects' files sees what is the same, what differs, and refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.other_projects_files import Found, blobs_of, compare, compare_pictures, table
from tests.media_factory import noise_picture, write_clip

PICTURE = noise_picture(2, width=64, height=48)


def make_repository(folder: Path, files: dict[str, bytes]) -> Path:
    """Return the git directory of a repository with these files."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for step in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "files"]):
        subprocess.run(["git", *step], cwd=folder, check=True, capture_output=True)
    return folder / ".git"


def test_each_content_of_a_repository_is_listed_once(tmp_path: Path) -> None:
    files = {"a/b.jpg": b"1", "c.JPG": b"1", "d.mp4": b"2", "e.txt": b"3", "f g.png": b"4"}
    found = blobs_of(make_repository(tmp_path, files))
    assert [path for _, path in found] == ["a/b.jpg", "d.mp4", "f g.png"]


def test_the_same_picture_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), PICTURE)
    assert compare(path, "x/a.jpg", "ffmpeg").outcome == "same"


def test_what_we_refuse_is_said_with_its_status(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).resize((32, 32)).save(tmp_path / "a.ico")
    found = compare(tmp_path / "a.ico", "x/a.ico", "ffmpeg")
    assert found.outcome == "refused by us"
    assert found.detail.startswith("unsupported: ")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert compare(tmp_path / "b.png", "x/b.png", "ffmpeg").outcome == "refused by both"


def test_a_clip_without_the_command_is_read_by_us_alone(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", num_frames=4)
    assert compare(path, "a.mp4", str(tmp_path / "nothing")).outcome == "read by us alone"


def test_how_far_pictures_are_apart() -> None:
    assert compare_pictures(PICTURE, PICTURE) == 0
    assert compare_pictures(PICTURE, PICTURE[:-1]) is None
    brighter = np.clip(PICTURE.astype(int) + 10, 0, 255).astype(np.uint8)
    assert compare_pictures(PICTURE, brighter) == pytest.approx(10, abs=0.5)
    seen_through = np.dstack([255 - PICTURE, np.zeros(PICTURE.shape[:2], np.uint8)])
    assert compare_pictures(PICTURE, seen_through) == 0


def test_the_table_counts_refusals_by_status() -> None:
    files = [Found("a", "same"), Found("b", "refused by us", "unsupported: an icon")]
    files.append(Found("c", "refused by us", "unsupported: text"))
    assert "| x | 3 | 1 | 0 | 0 | 2 (unsupported 2) | 0 | 0 | 0 |" in table({"x": files})
