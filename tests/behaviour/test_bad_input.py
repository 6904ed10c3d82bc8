"""Bad input on the command line: each file gets its row and affects no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepfake.scoring import SCORES_SCHEMA
from tests.command_line import Completed, drop_root_rights, run_deepfake


@pytest.fixture(scope="module")
def detected(
    odd_media: Path, detector: Path, tmp_path_factory: pytest.TempPathFactory
) -> Completed:
    """Return one call of `detect` on all media, as a user who may not read everything."""
    cwd = tmp_path_factory.mktemp("detect")
    files = sorted(odd_media.iterdir())
    return run_deepfake(
        "detect", *files, "--weights", detector, "--json", cwd=cwd, before=drop_root_rights
    )


@pytest.fixture(scope="module")
def rows(detected: Completed) -> dict[str, dict[str, Any]]:
    """Return the row of each file by its name."""
    return {Path(row["uri"]).name: row for row in json.loads(detected.stdout)}


def assert_refused(row: dict[str, Any], *, status: str, message: str) -> None:
    assert row["status"] == status
    assert row["verdict"] == "not_applicable"
    assert row["prob_fake"] is None and row["logit"] is None
    assert message in row["message"]
    assert message in row["reason"]


def test_empty_file(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["empty.mp4"], status="empty", message="0 bytes")


def test_text_named_like_a_video(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["text.mp4"], status="unsupported", message="a text file")


def test_truncated_video(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["truncated.mp4"], status="decode_error", message="cut-off")


def test_sound_only(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["sound.mp4"], status="no_picture", message="sound only")
    assert rows["sound.mp4"]["kind"] == "audio"


def test_folder_named_like_a_video(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["folder.mp4"], status="unsupported", message="a folder")
    assert "inside.txt" not in rows


def test_unreadable_file(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["unreadable.png"], status="unreadable", message="Permission denied")
    assert rows["unreadable.png"]["media_id"] is None


def test_picture_that_declares_too_many_pixels(rows: dict[str, dict[str, Any]]) -> None:
    assert_refused(rows["huge.png"], status="too_large", message="20000 x 20000")


@pytest.mark.parametrize(("name", "frames"), [("no-face.png", 1), ("no-face.mp4", 8)])
def test_no_face_is_not_real(rows: dict[str, dict[str, Any]], name: str, frames: int) -> None:
    assert_refused(rows[name], status="no_face", message="no face was found")
    assert rows[name]["frames_read"] == frames
    assert rows[name]["num_faces"] == 0


def test_twenty_faces(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["crowd.png"]
    assert row["status"] == "ok"
    assert row["num_faces"] == row["num_tracks"] == 20


def test_good_files_beside_them_are_scored(rows: dict[str, dict[str, Any]]) -> None:
    for name, kind, frames in (("good-still.png", "image", 1), ("good-clip.mp4", "video", 8)):
        row = rows[name]
        assert (row["status"], row["kind"], row["num_frames"]) == ("ok", kind, frames)
        assert row["num_tracks"] == 1
        assert row["verdict"] in {"real", "fake", "uncertain"}


def test_every_file_has_one_row_of_exactly_the_columns(
    detected: Completed, odd_media: Path
) -> None:
    listed = json.loads(detected.stdout)
    assert [row["uri"] for row in listed] == sorted(str(p) for p in odd_media.iterdir())
    for row in listed:
        assert list(row) == [*SCORES_SCHEMA.names, "notes"]
        assert (row["prob_fake"] is not None) == (row["status"] == "ok")
        assert (row["verdict"] == "not_applicable") == (row["status"] != "ok")
        assert row["model_name"] == "tried" and row["model_digest"]


def test_exit_code_and_summary_count_what_went_wrong(detected: Completed) -> None:
    assert detected.returncode == 3
    assert (
        "12 files: 1 decode_error, 1 empty, 2 no_face, 1 no_picture, 3 ok, 1 too_large, "
        "1 unreadable, 2 unsupported" in detected.stderr
    )
    assert "Traceback" not in detected.stderr


def test_detector_used_is_said(detected: Completed) -> None:
    assert "detector: tried (named by the user)" in detected.stderr
