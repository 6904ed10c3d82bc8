"""Logits of a snapshot's crops, each beside its own row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.corpora.shards import Snapshot
from deepfake.errors import ConfigError, ShardError
from deepfake.evaluation import predict as predicting
from deepfake.evaluation.predict import predict_crops
from deepfake.media import decode_crop


class _MeanDetector:
    """Says how bright a crop is, and counts how it is asked."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.spec = SimpleNamespace(crop=snapshot.config.crop, outputs=("logit", "novelty"))
        self.sizes: list[int] = []

    def head_outputs(self, crops: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        self.sizes.append(len(crops))
        means = np.array([crop.mean() for crop in crops], np.float32)
        return {"logit": means, "novelty": 2 * means}


@pytest.fixture
def snapshot(
    tmp_path: Path, corpus_writer: Callable[..., Snapshot], file_plan: Callable[..., list[object]]
) -> Snapshot:
    return corpus_writer(tmp_path, file_plan({"train": 3}, num_crops=2))


def test_each_row_gets_its_own_logit(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "_CHUNK", 5)
    detector, done = _MeanDetector(snapshot), list[int]()
    index = snapshot.index().sample(frac=1, random_state=3)
    said = predict_crops(detector, snapshot, index, on_done=done.append)  # type: ignore[arg-type]
    logits = said["logit"]
    assert said["crop_id"].tolist() == index["crop_id"].tolist()
    reader = snapshot.reader()
    expected = [decode_crop(reader.encoded(r.shard, r.row)).mean() for r in index.itertuples()]
    assert logits.dtype == np.float64
    assert logits.tolist() == pytest.approx(expected)
    assert said["novelty"].tolist() == pytest.approx([2 * value for value in expected])
    assert len(set(logits.tolist())) == 12
    assert (detector.sizes, done) == ([5, 5, 2], [5, 10, 12])


def test_no_crops_no_logits(snapshot: Snapshot) -> None:
    said = predict_crops(_MeanDetector(snapshot), snapshot, snapshot.index().head(0))  # type: ignore[arg-type]
    assert said["logit"].shape == (0,)


def test_a_lost_shard_is_an_error_not_a_logit(snapshot: Snapshot) -> None:
    for path in snapshot.corpus_dir.rglob("*.arrow"):
        path.unlink()
    with pytest.raises(ShardError, match="cannot be read"):
        predict_crops(_MeanDetector(snapshot), snapshot, snapshot.index())  # type: ignore[arg-type]


def test_crops_that_were_made_otherwise_are_not_scored(snapshot: Snapshot) -> None:
    detector = _MeanDetector(snapshot)
    detector.spec.crop = snapshot.config.crop.model_copy(update={"margin": 1.7, "edge": "inside"})
    with pytest.raises(ConfigError, match=r"margin=1\.7") as raised:
        predict_crops(detector, snapshot, snapshot.index())  # type: ignore[arg-type]
    assert "--margin 1.7" in (raised.value.hint or "")
    assert "--edge inside" in (raised.value.hint or "")
    assert detector.sizes == []
