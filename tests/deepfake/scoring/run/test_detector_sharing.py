"""What machines of a cluster have to share is found out early, and the rest is handed to them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import ConfigError
from deepfake.scoring import create_score_job, share_detector
from deepfake.scoring.run.score_folder import _check_arrival
from deepfake.storage import location_of


def test_a_part_that_does_not_arrive_is_reported_at_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "0.scores.parquet"
    threading.Timer(0.3, part.touch).start()
    _check_arrival(part)
    part.unlink()
    monkeypatch.setattr("deepfake.scoring.run.score_folder._ARRIVAL_SECONDS", 0.0)
    with pytest.raises(ConfigError, match="does not arrive here") as caught:
        _check_arrival(part)
    assert "a shared folder, or a store's URI" in str(caught.value.hint)


def test_a_detector_goes_where_the_scores_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPFAKE_CACHE", str(tmp_path / "cache"))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "detector.json").write_text("{}")
    job = create_score_job(DetectorIdentity(bundle, "tried"), device="cpu")
    assert share_detector(job, tmp_path / "scores") == job
    folder = location_of("memory://sharing/versions/v")
    shared = share_detector(job, folder)
    uri = "memory://sharing/versions/v/detector"
    assert shared == job.model_copy(update={"shared_detector": uri})
    assert (location_of(uri) / "detector.json").read_text() == "{}"
    assert share_detector(job, folder) == shared
    there = shared.on_this_machine().scorer
    assert there.detector.path != bundle
    assert (there.detector.path / "detector.json").read_text() == "{}"
    assert there.cache == tmp_path / "cache" / "openvino"
