"""What `score` says of drift: a sentence first, the measure behind it."""

from __future__ import annotations

import pytest

from deepfake.scoring.drift.describe import describe_drift

_FEATURES = ("logit", "face_px", "sharpness", "novelty", "bytes_per_pixel", "later")


def _found(name: str, **more: object) -> dict[str, object]:
    return {
        "name": name,
        "kind": "video",
        "level": "moved",
        "index": 0.32,
        "num_media": 60,
        **more,
    }


@pytest.mark.parametrize("name", _FEATURES)
def test_each_feature_has_a_sentence_before_its_measure(name: str) -> None:
    text = describe_drift(_found(name), limit=0.25, note="all media scored so far")
    sentence, _, measure = text.partition(" (")
    assert "videos" in sentence and "trust the verdicts less" in sentence
    assert not any(term in sentence for term in ("PSI", "index", "0.32", "_", "logit"))
    assert measure == (
        f"{name}: population stability index 0.32, limit 0.25; 60 media, all media scored so far)"
    )
