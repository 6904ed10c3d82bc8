"""Scores name their model version before a promotion, after it, and after a roll-back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake import registry
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.voice_bundle import packaged_voice_detector
from deepfake.media import write_image
from tests.flows.retrain_home import Home, running_flows
from tests.log_bundle import log_bundle
from tests.sample_data import face_close_up, make_detector
from tests.untrained_voice_detector import write_voice_bundle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]


_LONG_AGO = 1_600_000_000


def _register(home: Home, name: str) -> str:
    folder = make_detector(home.path / name, name=name)
    digest = load_bundle(folder).digest
    run_id = log_bundle(folder, experiment="deepfake", run_name=name, uri=home.uri)
    registry.register_once(run_id, name=registry.MODEL_NAME, digest=digest, uri=home.uri)
    return digest


def test_scores_name_the_version_before_between_and_after(tmp_path: Path) -> None:
    home = Home(tmp_path / "here", registry.tracking_uri(tmp_path / "here"))
    (home.path / "media").mkdir(parents=True)
    write_image(home.path / "media" / "face.png", face_close_up())
    digests = {"1": _register(home, "first"), "2": _register(home, "second")}

    options = {"folder": "media", "output": "out", "num_workers": 1, "voice": False}

    def scored() -> tuple[str, str, str]:
        summary = flows.run("score", options)
        table = pd.read_parquet(home.path / "out" / "scores.parquet")
        (row,) = table[["model_name", "model_version", "model_digest"]].itertuples(index=False)
        assert summary["detector"]["version"] == row.model_version
        assert summary["detector_chosen_by"] == "the registry's champion"
        return row.model_name, row.model_version, row.model_digest

    with running_flows(home, log=tmp_path / "log") as flows:
        home.command("models", "promote", "1", "--reason", "to begin with")
        assert scored() == (registry.MODEL_NAME, "1", digests["1"])
        home.command("models", "promote", "2", "--yes")
        assert scored() == (registry.MODEL_NAME, "2", digests["2"])
        output = home.command("detect", "media/face.png", "--json")
        (row,) = json.loads(output[output.index("[") :])
        assert (row["model_version"], row["model_digest"]) == ("2", digests["2"])
        home.command("models", "rollback", "--reason", "too many alarms")
        assert scored() == (registry.MODEL_NAME, "1", digests["1"])
        # One more step back: the packaged detector was there before anybody was promoted, and
        # nobody has registered it.
        assert "nobody; the packaged detector serves" in home.command("models", "rollback")
        assert {v.version for v in registry.list_versions(uri=home.uri)} == {1, 2}
        summary = flows.run("score", options)
        assert summary["detector_chosen_by"] == "the packaged detector"


def test_what_was_scored_by_faces_alone_is_scored_anew_once_voices_are_judged(
    tmp_path: Path,
) -> None:
    """As whoever scored before there was a detector of voices sees it."""
    home = Home(tmp_path / "here", registry.tracking_uri(tmp_path / "here"))
    (home.path / "media").mkdir(parents=True)
    write_image(home.path / "media" / "face.png", face_close_up())
    os.utime(home.path / "media" / "face.png", (_LONG_AGO, _LONG_AGO))
    write_voice_bundle(home.path / "voice")
    options = {"folder": "media", "output": "out", "num_workers": 1}

    def count_scored(**more: object) -> int:
        return int(flows.run("score", {**options, **more})["num_scored"])

    def row() -> pd.Series[Any]:
        return pd.read_parquet(home.path / "out" / "scores.parquet").iloc[0]

    with running_flows(home, log=tmp_path / "log") as flows:
        assert count_scored(voice=False) == 1
        before = row()
        assert count_scored(voice=False) == 0
        is_packaged = packaged_voice_detector() is not None
        assert count_scored() == int(is_packaged), "without one, nothing is new"
        assert count_scored(voice_weights="voice") == 1
        after = row()
        assert pd.isna(before["verdict_voice"])
        assert after["verdict_voice"] == "not_applicable"
        assert after["voice_model_name"] == "tried-voice"
        assert after["logit"] == before["logit"]
        assert count_scored(voice=False) == 0
        assert row()["config_digest"] == before["config_digest"]
