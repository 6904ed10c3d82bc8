"""`deepfake report` makes evidence for what was scored, and shows it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from deepfake.evidence.embedded_json import read_embedded_json
from deepfake.media import write_image
from deepfake.storage import read_json, sha256_of
from tests.access_monitor import listening
from tests.command_line import run_deepfake
from tests.credentials import make_chain, sign_file
from tests.sample_data import face_close_up, landscape, write_face_clip

pytestmark = pytest.mark.slow


def _kept(output: Path) -> dict[str, int]:
    """Return when each piece of evidence was written."""
    (folder,) = output.glob("versions/*/evidence")
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/evidence.json")}


def _shown(page: Path) -> dict[str, Any]:
    data = read_embedded_json(page.read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


def test_a_folder_is_scored_explained_reported_and_forgotten(
    tmp_path: Path, detector: Path
) -> None:
    media, output = tmp_path / "media", tmp_path / "out"
    clip = write_face_clip(media / "clip.mp4")
    write_image(media / "landscape.png", landscape())
    (media / "broken.mp4").write_bytes(clip.read_bytes()[:2000])
    with listening() as host:
        plain = tmp_path / "plain.jpg"
        write_image(plain, face_close_up())
        chain = make_chain(ocsp_url=f"{host.url}/ocsp")
        signed = sign_file(plain, media / "signed.jpg", chain=chain)
        elsewhere = media / "elsewhere.jpg"
        sign_file(plain, elsewhere, chain=chain, remote_url=f"{host.url}/x.c2pa")
        said = ["score", media, "--output", output, "--weights", detector]
        done = run_deepfake(*said, cwd=tmp_path)
        assert done.returncode == 3, done.stdout + done.stderr
        assert host.callers == []
    assert "evidence made" not in done.stdout, "nobody has looked yet"
    assert list(output.glob("versions/*/evidence")) == []
    done = run_deepfake("report", output, cwd=tmp_path)
    assert "evidence made for 3 files" in done.stderr
    first = _kept(output)
    assert set(first) == {sha256_of(path) for path in (clip, signed, elsewhere)}
    states = {
        evidence["media_id"]: evidence["provenance"]["credentials"]["state"]
        for evidence in map(read_json, output.glob("versions/*/evidence/*/evidence.json"))
    }
    assert states[sha256_of(signed)] == "untrusted"
    assert states[sha256_of(elsewhere)] == "elsewhere"
    shutil.copy(clip, media / "another name.mp4")
    write_face_clip(media / "new.mp4", seed=7)
    run_deepfake(*said, cwd=tmp_path)
    assert _kept(output) == first, "scoring again leaves it"
    done = run_deepfake("report", output, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "evidence made for 1 file\n" in done.stderr
    second = _kept(output)
    assert len(second) == 4 and first.items() <= second.items(), "what is there stays"
    page = _shown(output / "report.html")
    assert len(page["columns"]["uri"]) == 7
    assert {item["media_id"] for item in page["items"]} == set(second)
    assert all(item["pictures"] for item in page["items"])
    done = run_deepfake("forget", clip, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(_kept(output)) == set(second) - set(first) | {
        sha256_of(signed),
        sha256_of(elsewhere),
    }
    assert not (output / "report.html").exists()


def test_scoring_makes_evidence_where_that_is_asked(tmp_path: Path, detector: Path) -> None:
    (tmp_path / "media").mkdir()
    write_image(tmp_path / "media" / "face.png", face_close_up())
    said = ["score", "media", "--output", "out", "--weights", detector, "--evidence", "5"]
    done = run_deepfake(*said, cwd=tmp_path)
    assert "evidence made for 1 file" in done.stdout
    done = run_deepfake("report", "out", "--evidence", "0", cwd=tmp_path)
    assert "evidence made" not in done.stderr
    assert len(_shown(tmp_path / "out" / "report.html")["items"]) == 1, "what is there is shown"


def test_without_the_detector_the_report_says_what_it_lacks(tmp_path: Path, detector: Path) -> None:
    (tmp_path / "media").mkdir()
    write_image(tmp_path / "media" / "face.png", face_close_up())
    moved = tmp_path / "moved"
    shutil.copytree(detector, moved)
    run_deepfake("score", "media", "--output", "out", "--weights", "moved", cwd=tmp_path)
    moved.rename(tmp_path / "elsewhere")
    done = run_deepfake("report", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert "the detector that made these scores" in done.stderr and "--weights" in done.stderr
    assert _shown(tmp_path / "out" / "report.html")["items"] == []
    done = run_deepfake("report", "out", "--weights", "elsewhere", cwd=tmp_path)
    assert len(_shown(tmp_path / "out" / "report.html")["items"]) == 1


def test_one_file_is_reported_without_a_folder_of_scores(tmp_path: Path, detector: Path) -> None:
    clip = write_face_clip(tmp_path / "<b>clip.mp4")
    done = run_deepfake("detect", clip, "--weights", detector, "--report", "one.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["<b>clip.mp4", "one.html"]
    text = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "<b>clip" not in text
    page = _shown(tmp_path / "one.html")
    assert page["columns"]["uri"] == [str(clip)]
    (item,) = page["items"]
    assert len(item["crops"]) == 4 and item["is_whole"]


def test_what_holds_no_scores_is_said(tmp_path: Path) -> None:
    done = run_deepfake("report", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "no finished scores are there" in done.stderr
    assert list(tmp_path.iterdir()) == []
