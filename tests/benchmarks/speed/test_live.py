"""What is counted of a live run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.speed.live import figures_of, scene_720p
from deepfake.config import FaceConfig
from deepfake.extract.faces import MtcnnDetector


def _lines(verdicts: Sequence[str], *, tracks: Sequence[int] | None = None) -> list[dict[str, Any]]:
    return [
        {
            "pts_seconds": at / 10,
            "latency_ms": 20.0 + at % 2,
            "num_dropped": at,
            "tracks": [
                {"track_id": tracks[at] if tracks else 0, "verdict": verdict, "reason": None}
            ],
        }
        for at, verdict in enumerate(verdicts)
    ]


def test_the_first_verdict_is_no_change_and_every_later_one_is() -> None:
    steady = figures_of(_lines(["uncertain"] * 10 + ["real"] * 50), clip_seconds=6.0)
    assert steady["verdict_changes_a_minute"] == 0
    assert (steady["tracks"], steady["last_verdict"]) == (1, "real")
    always = figures_of(_lines(["uncertain"] * 60), clip_seconds=6.0)
    assert always["verdict_changes_a_minute"] == 0
    restless = figures_of(
        _lines(["uncertain"] * 10 + ["real"] * 20 + ["fake"] * 10 + ["real"] * 20),
        clip_seconds=6.0,
    )
    assert restless["verdict_changes_a_minute"] == pytest.approx(20)


def test_a_person_who_gets_another_number_counts_as_a_change() -> None:
    figures = figures_of(
        _lines(["uncertain"] * 60, tracks=[0] * 30 + [1] * 30),
        clip_seconds=60.0,
    )
    assert (figures["tracks"], figures["verdict_changes_a_minute"]) == (2, 1.0)


def test_rates_and_latencies_are_those_after_the_first_two_seconds() -> None:
    lines = _lines(["real"] * 60)
    for line in lines[:20]:
        line["latency_ms"] = 5000.0
    figures = figures_of(lines, clip_seconds=6.0)
    assert figures["frames_per_second"] == pytest.approx(10.0)
    assert (figures["latency_p50_ms"], figures["dropped"]) == (20.5, 39)
    assert figures_of(lines[:3], clip_seconds=0.3)["frames_per_second"] is None


def test_the_clip_shows_one_face_of_720_lines() -> None:
    frame = next(itertools.islice(scene_720p(1), 1))
    assert frame.shape == (720, 1280, 3)
    assert len(MtcnnDetector(FaceConfig()).detect(frame)) == 1
