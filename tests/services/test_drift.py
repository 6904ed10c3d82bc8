"""A scoring job detects drift and emits the event to Prefect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pandas as pd
import pytest

from deepfake.media import write_image
from deepfake.scoring.drift import fit_reference, write_reference
from deepfake.types import Kind
from tests.command_line import run_deepfake
from tests.paths import CHECKOUT
from tests.sample_data import clip_frames, make_detector
from tests.services.processes import Server, prefect_server, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(2400)]

_NUM = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prefect")
    with prefect_server(folder, PYTHONPATH=str(CHECKOUT)) as made:
        yield made


def _media(folder: Path, *, first: int, sigma: float = 0.0) -> Path:
    folder.mkdir()
    for i in range(_NUM):
        pixels = clip_frames(1, seed=first + i)[0]
        if sigma:
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
        write_image(folder / f"{i}.png", pixels)
    return folder


def _score(media: Path, detector: Path, server: Server, *more: str) -> tuple[str, dict[str, Any]]:
    """Return what was printed, and what `drift.json` says."""
    output = media.with_name(f"{media.name}-scores")
    said = ["score", media, "--output", output, "--weights", detector, "--num-workers", "1", *more]
    done = run_deepfake(
        *said, cwd=media.parent, environment=server.environment, timeout_seconds=1200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((output / "drift.json").read_text())


def _keep_reference(detector: Path, output: Path) -> None:
    """Make what was scored the detector's own media."""
    scores = pd.read_parquet(output / "scores.parquet")
    tracks = pd.read_parquet(output / "tracks.parquet").set_index("media_id")
    reference = fit_reference(
        {
            Kind.IMAGE: {
                "logit": scores["logit"].to_numpy(),
                "sharpness": tracks["sharpness"][scores["media_id"]].to_numpy(),
            }
        },
        labels={Kind.IMAGE: np.arange(len(scores)) % 2.0},
        data_digests={"own": "00ff"},
    )
    assert reference is not None
    write_reference(detector, reference)


def _events(server: Server) -> list[dict[str, Any]]:
    api = server.environment["PREFECT_API_URL"]
    query = {"filter": {"event": {"name": ["deepfake.scores.drifted"]}}}
    answer = httpx.post(f"{api}/events/filter", json=query, timeout=30)
    return list(answer.raise_for_status().json()["events"])


def test_other_media_are_noticed_and_reported_and_the_same_are_not(
    server: Server, tmp_path: Path
) -> None:
    detector = make_detector(tmp_path / "detector")
    printed, summary = _score(_media(tmp_path / "own", first=0), detector, server)
    assert "drift: the detector keeps no reference to compare with" in printed
    assert (summary["is_drifted"], summary["features"]) == (False, [])
    _keep_reference(detector, tmp_path / "own-scores")

    printed, summary = _score(_media(tmp_path / "alike", first=1000), detector, server)
    assert "these pictures look like those of the calibration (furthest away is" in printed
    assert summary["is_drifted"] is False
    assert {f["level"] for f in summary["features"]} == {"stable"}
    assert {f["num_media"] for f in summary["features"]} == {_NUM}
    assert _events(server) == []

    printed, summary = _score(_media(tmp_path / "blurred", first=2000, sigma=2.0), detector, server)
    moved = {f["name"]: f["index"] for f in summary["features"] if f["level"] == "moved"}
    assert "sharpness" in moved
    assert "drift: the faces in these pictures are sharper or more blurred than" in printed
    assert f"(sharpness: population stability index {moved['sharpness']:.2f}" in printed
    wait_until(lambda: bool(_events(server)))
    (event,) = _events(server)
    assert event["resource"]["prefect.resource.id"] == "deepfake.scores.tried"
    assert event["payload"]["corpora"] == ["own"]
    assert {f["name"] for f in event["payload"]["moved"]} == set(moved)
    metrics = (tmp_path / "blurred-scores" / "metrics.prom").read_text()
    assert 'feature="sharpness"' in metrics

    _, summary = _score(tmp_path / "blurred", detector, server, "--limit", "1")
    assert summary["is_drifted"] is True, "a run that scores nothing leaves what was found"
