"""Hashing and probing files, and reusing earlier probes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake.compute.workers import MediaWorkers, WorkerSetup
from deepfake.config import MediaLimits, WorkerLimits
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.probe import ProbeRequest, probe_medium, probe_rows, reuse_probes
from deepfake.storage import sha256_of
from deepfake.types import Kind, Label, Status
from tests.deepfake.compute import worker_jobs
from tests.media_factory import (
    as_ordinary_user,
    noise_picture,
    readable_folder,
    write_clip,
    write_still,
)

_LIMITS = MediaLimits()


@pytest.fixture(scope="module")
def workers() -> Iterator[MediaWorkers]:
    with MediaWorkers(WorkerSetup(worker_jobs.create, None, WorkerLimits(), 1)) as pool:
        yield pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "media" / "real"
    folder.mkdir(parents=True)
    write_clip(folder / "a.mp4", num_frames=10)
    write_still(folder / "b.png", noise_picture())
    (folder / "c.mp4").touch()
    (folder / "d.txt").write_text("text", encoding="utf-8")
    return folder


def _scan(folder: Path) -> list[ManifestRow]:
    return scan_corpus(folder, corpus="c", layout="folder")


def test_files_are_hashed_and_described(workers: MediaWorkers, folder: Path) -> None:
    done: list[int] = []
    rows = probe_rows(_scan(folder), workers=workers, limits=_LIMITS, on_done=done.append)
    clip, still, empty, text = rows
    assert done == [1, 2, 3, 4]
    assert [row.media_id for row in rows] == [sha256_of(Path(row.uri)) for row in rows]
    assert (clip.kind, clip.codec, clip.num_frames, clip.fps) == (Kind.VIDEO, "h264", 10, 25.0)
    assert clip.duration_seconds == pytest.approx(0.4)
    assert (still.kind, still.width, still.height) == (Kind.IMAGE, 64, 48)
    assert still.duration_seconds is None
    assert (empty.status, text.status) == (Status.EMPTY, Status.UNSUPPORTED)
    assert {row.label for row in rows} == {Label.REAL}


def test_a_file_that_is_gone_or_closed_is_a_row(tmp_path: Path) -> None:
    gone = probe_medium(None, ProbeRequest(str(tmp_path / "gone.mp4"), _LIMITS))
    assert (gone.status, gone.media_id) == (Status.VANISHED, None)
    scheme = probe_medium(None, ProbeRequest("ftp://host/x", _LIMITS))
    assert (scheme.status, scheme.error_type) == (Status.ERROR, "ConfigError")
    with readable_folder() as folder:
        (folder / "inner").mkdir(mode=0o755)
        path = write_clip(folder / "inner" / "x.mp4")
        path.chmod(0)
        with as_ordinary_user():
            closed = probe_medium(None, ProbeRequest(str(path), _LIMITS))
        (folder / "inner").chmod(0)
        with as_ordinary_user():
            hidden = probe_medium(None, ProbeRequest(str(path), _LIMITS))
        (folder / "inner").chmod(0o755)
    assert (closed.status, closed.media_id) == (Status.UNREADABLE, None)
    assert (hidden.status, hidden.media_id) == (Status.UNREADABLE, None)


def test_a_file_that_is_too_large_keeps_its_digest(folder: Path) -> None:
    path = folder / "b.png"
    found = probe_medium(None, ProbeRequest(str(path), MediaLimits(max_pixels=100)))
    assert (found.status, found.media_id) == (Status.TOO_LARGE, sha256_of(path))


def test_bytes_over_the_limit_are_not_even_hashed(tmp_path: Path) -> None:
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    began = time.monotonic()
    found = probe_medium(None, ProbeRequest(str(path), _LIMITS))
    assert time.monotonic() - began < 5
    assert (found.status, found.media_id) == (Status.TOO_LARGE, None)


def test_unchanged_files_are_not_looked_at_again(workers: MediaWorkers, folder: Path) -> None:
    before = probe_rows(_scan(folder), workers=workers, limits=_LIMITS)
    known, unknown = reuse_probes(_scan(folder), before=before)
    assert known == before
    assert unknown == []


@pytest.mark.parametrize("change", ["content", "time", "new", "unread"])
def test_changed_files_are(workers: MediaWorkers, folder: Path, change: str) -> None:
    before = probe_rows(_scan(folder), workers=workers, limits=_LIMITS)
    path = folder / "a.mp4"
    if change == "content":
        path.write_bytes(path.read_bytes() + b"\0")
    elif change == "time":
        now = time.time() + 5
        os.utime(path, (now, now))
    elif change == "new":
        before = before[1:]
    else:
        before[0] = replace(before[0], media_id=None, kind=None, status=Status.TIMEOUT)
    known, unknown = reuse_probes(_scan(folder), before=before)
    assert [Path(row.uri).name for row in unknown] == ["a.mp4"]
    assert len(known) == 3


def test_labels_and_errors_of_the_corpus_are_found_anew(
    workers: MediaWorkers, folder: Path
) -> None:
    before = probe_rows(_scan(folder), workers=workers, limits=_LIMITS)
    marked = [
        replace(row, label=Label.FAKE, status=Status.ERROR, message="contradicted", group="g")
        if row.kind is not None
        else row
        for row in before
    ]
    known, _ = reuse_probes(_scan(folder), before=marked)
    assert known == before
