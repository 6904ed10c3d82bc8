"""`evaluate` on shards and `score` on the same files give the same logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake.compute.workers import MediaWorkers
from deepfake.config import SplitConfig
from deepfake.corpora.ingest import build_snapshot, extract_batch, finish_manifest, plan_extraction
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.probe import probe_rows
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import load_detector
from deepfake.evaluation.predict import predict_crops
from deepfake.extract.extractor import Extractor, ExtractRequest, limit_threads
from deepfake.media import write_image
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.scoring.scorer_settings import extract_config_of_bundle
from deepfake.storage import DataRoot
from deepfake.verdicts.aggregation import aggregate_by_uri
from tests.sample_data import crowd, make_corpus

_TOLERANCE = 1e-3


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Work as a media worker does: with one thread."""
    before = torch.get_num_threads()
    limit_threads()
    yield
    torch.set_num_threads(before)


class _Here(MediaWorkers):
    """The workers' interface, in this process."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def map(
        self, function: Callable[[Any, Any], Any], items: Sequence[Any], *, is_last: bool = True
    ) -> Iterator[Any]:
        return (function(self.made, item) for item in items)


def _ingest(media: Path, detector: Path, data_root: Path) -> Snapshot:
    """Ingest with the decoder that corpora get: decord, where it is installed."""
    root = DataRoot(data_root)
    config = extract_config_of_bundle(load_bundle(detector))
    workers = _Here(Extractor(config, decoder="auto"))
    scanned = scan_corpus(media, corpus="tried", layout="folder")
    rows = probe_rows(scanned, workers=workers, limits=config.limits)
    rows, notes = finish_manifest(root, "tried", rows, split=SplitConfig(strategy="grouped"))
    plan = plan_extraction(root, "tried", rows, config=config)
    for batch in plan.unfinished:
        extract_batch(root.corpus_shards("tried"), batch, uris=plan.uris, workers=workers)
    snapshot, _ = build_snapshot(root, "tried", rows, plan, config=config, notes=notes)
    return snapshot


def _assert_agreement(media: Path, detector: Path, data_root: Path, *, num_files: int) -> None:
    snapshot = _ingest(media, detector, data_root)
    loaded = load_detector(detector, device="cpu")
    # In another order than that of the shards: a logit is its crop's alone.
    crops = snapshot.index().sample(frac=1.0, random_state=0).reset_index(drop=True)
    crops = predict_crops(loaded, snapshot, crops)
    by_crop = crops.set_index(["uri", "frame_index", "track_id"])["logit"]
    measured = aggregate_by_uri(crops, config=loaded.spec.aggregation)
    assert len(measured) == num_files
    scorer = Scorer(ScorerSetup(DetectorIdentity(detector, "tried"), decoder="pyav"))
    for (uri,), expected in measured.items():
        media_id = crops.loc[crops["uri"] == uri, "media_id"].iloc[0]
        medium = scorer.score(ExtractRequest(uri, media_id))
        assert medium.score.logit == pytest.approx(expected.logit, abs=_TOLERANCE)
        assert medium.score.num_tracks == expected.num_tracks
        assert len(medium.frames) == (crops["uri"] == uri).sum()
        for row in medium.frames:
            key = (uri, row["frame_index"], row["track_id"])
            assert row["logit"] == pytest.approx(by_crop[key], abs=_TOLERANCE)
    # Not because all files have one logit.
    spread = [score.logit for score in measured.values()]
    assert max(spread) - min(spread) > 100 * _TOLERANCE


def test_evaluate_and_score_agree(detector: Path, tmp_path: Path) -> None:
    media = make_corpus(tmp_path / "media", clips=1, stills=1)
    write_image(media / "real" / "crowd.png", crowd(rows=2, columns=3))
    _assert_agreement(media, detector, tmp_path / "data", num_files=5)


@pytest.mark.slow
@pytest.mark.shared_data
def test_evaluate_and_score_agree_on_recordings(
    detector: Path, tmp_path: Path, shared_data: Path
) -> None:
    videos = shared_data / "videos"
    chosen = [
        min(videos.glob("FaceForensics++/original_sequences/**/*.mp4"), key=_size),
        min(videos.glob("Celeb-DF-v2/Celeb-synthesis/*.mp4"), key=_size),
        min(videos.glob("talking-heads/*.mp4"), key=_size),
    ]
    media = tmp_path / "media"
    media.mkdir()
    for number, path in enumerate(chosen):
        (media / f"{number}.mp4").symlink_to(path.resolve())
    _assert_agreement(media, detector, tmp_path / "data", num_files=3)


def _size(path: Path) -> int:
    return path.stat().st_size
