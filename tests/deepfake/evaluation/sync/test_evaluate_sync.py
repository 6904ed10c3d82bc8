"""A detector of lips and sound is measured by file, and by what a corpus says of moments."""

from __future__ import annotations

from pathlib import Path

from deepfake.evaluation.sync import evaluate_sync
from tests.sync_corpus import SyncFile, write_sync_corpus
from tests.untrained_sync_detector import write_sync_bundle


def test_moments_are_measured_where_the_corpus_names_them(tmp_path: Path) -> None:
    files = [
        SyncFile("a.mp4", "real", "test", identity="x", fake_intervals=()),
        SyncFile("b.mp4", "fake", "test", identity="y", fake_intervals=((0.0, 60.0),)),
        SyncFile("c.mp4", "fake", "test", identity="z"),
    ]
    bundle = write_sync_bundle(tmp_path / "bundle")
    result = evaluate_sync(write_sync_corpus(tmp_path, files), bundle, "test")
    assert (result.n_real, result.n_fake) == (1, 2)
    assert result.in_intervals is not None
    counts = result.in_intervals.num_matching, result.in_intervals.num_mismatches
    assert min(counts) >= 1, "blocks of `a` lie outside, of `b` inside, of `c` nobody knows"
    blocks = sum(counts)
    without = [SyncFile(f.name, f.label, f.split, identity=f.identity) for f in files]
    snapshot = write_sync_corpus(tmp_path, without, corpus="without")
    assert evaluate_sync(snapshot, bundle, "test").in_intervals is None
    given = {f"/without/{name}.mp4": [(0.0, 60.0)] for name in "abc"}
    every = evaluate_sync(snapshot, bundle, "test", intervals=given).in_intervals
    assert every is not None and every.num_mismatches > blocks
