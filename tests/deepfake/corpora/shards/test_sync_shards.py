"""Runs of mouths in shards, and what is known of their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfake.config import SyncExtractConfig
from deepfake.corpora.shards import SYNC
from deepfake.corpora.shortcuts import find_shortcuts
from deepfake.errors import ShardError
from deepfake.media.run_codec import decode_run, round_trip_run
from tests.sync_corpus import SyncFile, draw_run, write_sync_corpus

_FILES = [
    SyncFile("a.mp4", "real", "train", identity="x", num_runs=2),
    SyncFile("b.mp4", "fake", "test", is_foreign=True, fake_intervals=((0.5, 1.5), (2.0, 2.5))),
]


def test_runs_are_read_as_they_were_written(tmp_path: Path) -> None:
    snapshot = write_sync_corpus(tmp_path, _FILES)
    index, reader = snapshot.index(), snapshot.reader()
    assert snapshot.kind == SYNC
    assert index["run_index"].tolist() == [0, 1, 0]
    assert index["identity"].fillna("").tolist() == ["x", "x", ""]
    rng = np.random.default_rng(0)
    for row in index[index["uri"] == "/lips/a.mp4"].to_dict("records"):
        run = decode_run(reader.encoded(row["shard"], row["row"]), record=row)
        expected = round_trip_run(draw_run(rng, run_index=row["run_index"]))
        np.testing.assert_array_equal(run.mouths, expected.mouths)
        np.testing.assert_array_equal(run.samples, expected.samples)
        assert run.sound_span == expected.sound_span


def test_intervals_of_fakes_are_in_the_outcomes(tmp_path: Path) -> None:
    outcomes = write_sync_corpus(tmp_path, _FILES).outcomes().set_index("uri")
    assert outcomes.loc["/lips/a.mp4", "fake_intervals"] is None
    found = [tuple(one.values()) for one in outcomes.loc["/lips/b.mp4", "fake_intervals"]]
    assert found == [(0.5, 1.5), (2.0, 2.5)]


def test_its_settings_are_of_its_kind(tmp_path: Path) -> None:
    snapshot = write_sync_corpus(tmp_path, _FILES)
    assert snapshot.sync_config == SyncExtractConfig()
    with pytest.raises(ShardError, match="ingested for sync, not for voice"):
        _ = snapshot.speech_config


def test_shortcuts_of_lips_are_measured(tmp_path: Path) -> None:
    files = [SyncFile(f"{n}.mp4", "fake" if n % 2 else "real", "train") for n in range(20)]
    snapshot = write_sync_corpus(tmp_path, files)
    found = {s.name: s for s in find_shortcuts(snapshot.index(), snapshot.outcomes(), kind=SYNC)}
    assert found["face_px"].auc == 0.5
    assert (found["face_px"].num_real, found["face_px"].num_fake) == (10, 10)
    assert "sharpness" not in found and "sound_codec" in found
