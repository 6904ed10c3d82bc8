"""A score belongs to a content: an object that was replaced or cannot be fetched gets none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deepfake.config import MediaLimits
from deepfake.corpora.probe import ProbeRequest, probe_medium
from deepfake.errors import StoreError
from deepfake.extract.extractor import ExtractRequest
from deepfake.scoring import ChangedFile, ScoredMedium, ScoreRequest
from deepfake.scoring.batch import score_unchanged
from deepfake.storage import StorePath
from deepfake.types import Status
from tests.scores import make_score


def _scorer(error_type: str | None = None) -> Any:
    status = Status.OK if error_type is None else Status.ERROR
    score = make_score("s3://m/x", "x", status=status, error_type=error_type, logit=1.5)
    medium = ScoredMedium(replace(score, reason="gone for a while"))

    def score(_: ExtractRequest) -> Any:
        return medium

    return SimpleNamespace(score=score)


def _request(path: StorePath) -> ScoreRequest:
    found = path.stat()
    return ScoreRequest(path.uri, "x", found.size_bytes, found.mtime_ns)


def test_an_object_that_is_as_it_was_has_a_score(bucket: StorePath) -> None:
    (bucket / "x").write_bytes(b"1")
    done = score_unchanged(_scorer(), _request(bucket / "x"))
    assert not isinstance(done, ChangedFile)
    assert done.score.logit == 1.5


def test_an_object_that_was_replaced_or_removed_has_none(bucket: StorePath) -> None:
    (bucket / "x").write_bytes(b"1")
    request = _request(bucket / "x")
    (bucket / "x").write_bytes(b"2")
    done = score_unchanged(_scorer(), request)
    assert isinstance(done, ChangedFile) and done.status == Status.ERROR
    assert "was changed" in done.message
    (bucket / "x").unlink()
    done = score_unchanged(_scorer(), request)
    assert isinstance(done, ChangedFile) and done.status == Status.VANISHED


def test_an_object_that_could_not_be_fetched_is_tried_again(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bucket / "x").write_bytes(b"1")
    done = score_unchanged(_scorer("StoreError"), _request(bucket / "x"))
    assert isinstance(done, ChangedFile) and done.status == Status.ERROR
    assert "could not be fetched (gone for a while)" in done.message
    request = _request(bucket / "x")

    def refuse(_: StorePath) -> None:
        raise StoreError("busy")

    monkeypatch.setattr(StorePath, "stat", refuse)
    done = score_unchanged(_scorer(), request)
    assert isinstance(done, ChangedFile) and "could not be fetched (busy)" in done.message


def test_probing_tells_what_became_of_an_object(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bucket / "x.txt").write_bytes(b"text")
    limits = MediaLimits()
    text = probe_medium(None, ProbeRequest((bucket / "x.txt").uri, limits))
    assert (text.status, len(text.media_id or "")) == (Status.UNSUPPORTED, 64)
    gone = probe_medium(None, ProbeRequest((bucket / "y").uri, limits))
    assert (gone.status, gone.media_id) == (Status.VANISHED, None)
    large = probe_medium(None, ProbeRequest((bucket / "x.txt").uri, MediaLimits(max_bytes=3)))
    assert (large.status, large.media_id) == (Status.TOO_LARGE, None)
    monkeypatch.setattr(StorePath, "read_bytes", lambda *_: b"")
    cut = probe_medium(None, ProbeRequest((bucket / "x.txt").uri, limits))
    assert (cut.status, cut.error_type, cut.media_id) == (Status.ERROR, "StoreError", None)
