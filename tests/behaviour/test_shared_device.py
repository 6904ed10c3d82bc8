"""Workers that share one device process give the same scores as those that compute themselves.

The device is PyTorch on the CPU here: the way through shared memory and batches is the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deepfake.compute.device_process import DeviceSetup
from deepfake.compute.workers import MediaWorkers, WorkerSetup
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference.remote_detector import (
    DeviceNetworks,
    create_device_networks,
    device_setup,
)
from deepfake.errors import ConfigError
from deepfake.extract.extractor import ExtractRequest
from deepfake.scoring import ScorerSetup
from deepfake.scoring.scorer_settings import ScoredMedium, score_medium, scorer_setup
from deepfake.storage import sha256_of, to_uri
from tests.sample_data import make_corpus, make_detector


def scored(setup: WorkerSetup, media: list[Path]) -> list[ScoredMedium]:
    """Score media in workers of a set-up."""
    requests = [ExtractRequest(to_uri(path), sha256_of(path)) for path in media]
    with MediaWorkers(setup) as workers:
        found = list(workers.map(score_medium, requests))
    assert all(isinstance(medium, ScoredMedium) for medium in found), found
    return [medium for medium in found if isinstance(medium, ScoredMedium)]


@pytest.mark.slow
def test_a_shared_device_gives_the_same_scores(tmp_path: Path) -> None:
    bundle = make_detector(tmp_path / "detector")
    media = sorted(path for path in make_corpus(tmp_path / "media").rglob("*") if path.is_file())
    own = scorer_setup(ScorerSetup(DetectorIdentity(bundle, "tried", None)), num_workers=2)
    shared = replace(own, device=DeviceSetup(create_device_networks, DeviceNetworks("cpu", bundle)))
    for ours, theirs in zip(scored(own, media), scored(shared, media), strict=True):
        assert ours.score.status == theirs.score.status == "ok"
        assert ours.score.num_faces == theirs.score.num_faces
        assert theirs.score.logit == pytest.approx(ours.score.logit, abs=0.01)
        for mine, other in zip(ours.frames, theirs.frames, strict=True):
            assert other["bbox_xyxy"] == pytest.approx(mine["bbox_xyxy"], abs=0.05)


@pytest.mark.slow
def test_no_file_depends_on_who_else_asks(tmp_path: Path) -> None:
    bundle = make_detector(tmp_path / "detector")
    media = sorted(path for path in make_corpus(tmp_path / "media").rglob("*") if path.is_file())
    setup = scorer_setup(ScorerSetup(DetectorIdentity(bundle, "tried", None)), num_workers=3)
    setup = replace(
        setup, device=DeviceSetup(create_device_networks, DeviceNetworks("cpu", bundle))
    )
    together = scored(setup, media)
    alone = [scored(replace(setup, num_workers=1), [path])[0] for path in media[::3]]
    for one, same in zip(alone, together[::3], strict=True):
        assert one.score.logit == same.score.logit
        assert one.frames == same.frames


def test_on_the_cpu_workers_compute_themselves() -> None:
    assert device_setup("cpu") is None


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a CUDA device is there, and this is about its absence")
    with pytest.raises(ConfigError, match="CUDA"):
        device_setup("cuda", bundle=tmp_path)
