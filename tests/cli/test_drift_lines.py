"""What the command `score` prints of drift."""

from __future__ import annotations

from deepfake.cli.score import _drift_lines


def test_where_nothing_has_moved_it_says_so() -> None:
    feature = {"name": "logit", "kind": "image", "level": "stable", "index": 0.05, "num_media": 60}
    drift = {"features": [feature], "limit": 0.25, "note": "this run", "is_drifted": False}
    (line,) = _drift_lines(drift)
    assert line.startswith("drift: these pictures look like those of the calibration (")
