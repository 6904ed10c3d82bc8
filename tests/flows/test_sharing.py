"""What machines of a cluster have to share is found out early, and the rest is handed to them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from deepfake.errors import ConfigError
from deepfake.storage import location_of
from flows import scoring_job
from tasks.workers import share_detector


def test_a_part_that_does_not_arrive_is_told_at_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "0.scores.parquet"
    threading.Timer(0.3, part.touch).start()
    scoring_job._check_arrival(part)
    part.unlink()
    monkeypatch.setattr(scoring_job, "_ARRIVAL_SECONDS", 0.0)
    with pytest.raises(ConfigError, match="does not arrive here") as caught:
        scoring_job._check_arrival(part)
    assert "a shared folder, or a store's URI" in str(caught.value.hint)


def test_a_detector_goes_where_the_scores_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPFAKE_CACHE", str(tmp_path / "cache"))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "detector.json").write_text("{}")
    setup = {"detector": {"path": str(bundle), "name": "tried"}, "device": "cpu"}
    assert share_detector(setup, tmp_path / "scores") == setup
    folder = location_of("memory://sharing/versions/v")
    told = share_detector(setup, folder)
    uri = "memory://sharing/versions/v/detector"
    assert told == {**setup, "detector": {"path": uri, "name": "tried"}}
    assert (location_of(uri) / "detector.json").read_text() == "{}"
    assert share_detector(setup, folder) == told
