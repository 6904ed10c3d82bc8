"""What can change a score changes the digest that stands beside it, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepfake.config import MediaLimits, SamplingConfig, WorkerLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.scoring import (
    ScoreJob,
    ScorerSetup,
    create_score_job,
    refused_score,
    score_origin,
    scorer_settings,
    scoring_digest,
)
from deepfake.scoring.scorer_settings import extract_config_of_bundle
from deepfake.types import Status
from tests.sample_data import make_detector


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_detector(tmp_path_factory.mktemp("d") / "b", num_frames=8))


@pytest.fixture
def setup(bundle: Bundle) -> ScorerSetup:
    return ScorerSetup(DetectorIdentity(bundle.path, "d"))


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"device": "cuda"},
        {"prior": 0.1},
        {"sampling": SamplingConfig(num_frames=9)},
        {"sampling": SamplingConfig(strategy="fps", num_frames=8)},
    ],
    ids=str,
)
def test_what_can_change_a_score_changes_the_digest(
    setup: ScorerSetup, bundle: Bundle, changes: dict[str, Any]
) -> None:
    changed = scoring_digest(replace(setup, **changes), bundle=bundle)
    assert changed != scoring_digest(setup, bundle=bundle)


def test_what_cannot_change_a_score_does_not(
    setup: ScorerSetup, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer_settings, "resolve_device", lambda: "cpu")
    same = [
        replace(setup, cache=tmp_path),
        replace(setup, device="auto"),
        replace(setup, sampling=SamplingConfig(num_frames=8)),
        replace(setup, detector=DetectorIdentity(bundle.path, "another name", "7")),
        replace(setup, limits=MediaLimits(max_pixels=7, max_bytes=7, max_frames=7)),
    ]
    digests = {scoring_digest(each, bundle=bundle) for each in [setup, *same]}
    assert len(digests) == 1
    on_cuda = {scoring_digest(replace(setup, device=d), bundle=bundle) for d in ("cuda", "cuda:1")}
    assert len(on_cuda) == 1


def test_row_without_a_score_has_the_digest_too(setup: ScorerSetup, bundle: Bundle) -> None:
    coarse = replace(setup, precision="bf16")
    origin = score_origin(coarse, bundle=bundle)
    score = refused_score(ManifestRow("/m/a.mp4", "m", status=Status.EMPTY), origin)
    assert score.config_digest == scoring_digest(coarse, bundle=bundle)


def test_sampling_that_is_asked_for_is_what_extracts(bundle: Bundle) -> None:
    asked = SamplingConfig(strategy="all")
    assert extract_config_of_bundle(bundle, sampling=asked).sampling == asked
    assert extract_config_of_bundle(bundle).sampling.num_frames == 8


def test_workers_get_all_of_a_job(bundle: Bundle, tmp_path: Path) -> None:
    sampling = SamplingConfig(num_frames=5)
    limits = MediaLimits(max_pixels=70, max_frames=71, max_bytes=72)
    expected = ScorerSetup(
        DetectorIdentity(bundle.path, "d", "3"),
        device="cpu",
        sampling=sampling,
        prior=0.2,
        limits=limits,
        cache=tmp_path,
    )
    job = create_score_job(
        expected.detector,
        device="auto",
        sampling=sampling,
        prior=0.2,
        cache=tmp_path,
        media_limits=limits,
        worker_limits=WorkerLimits(timeout_seconds=7.0),
        num_workers=1,
    )
    if job.scorer.device == "cpu":
        assert job.scorer == expected
    again = ScoreJob.model_validate_json(job.model_dump_json())
    assert again == job and hash(again) == hash(job)
    workers = again.on_this_machine().worker_setup()
    assert workers.argument == job.scorer
    assert (workers.limits.timeout_seconds, workers.num_workers) == (7.0, 1)
    assert hash(workers) == hash(job.worker_setup())
