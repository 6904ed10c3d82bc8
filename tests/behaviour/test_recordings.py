"""In real recordings the face is found in nearly every sampled frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.compute.workers import Failure, MediaWorkers
from deepfake.config import ExtractConfig
from deepfake.corpora.ingest import worker_setup
from deepfake.extract.extractor import ExtractRequest, extract_medium
from deepfake.storage import sha256_of
from deepfake.types import Status


@pytest.mark.slow
@pytest.mark.shared_data
def test_every_recording_gives_thirty_crops_of_thirty_two_frames(shared_data: Path) -> None:
    clips = sorted((shared_data / "videos").rglob("*.mp4"))
    requests = [ExtractRequest(str(clip), sha256_of(clip)) for clip in clips]
    with MediaWorkers(worker_setup(ExtractConfig())) as workers:
        media = list(workers.map(extract_medium, requests))
    assert len(media) == len(clips) >= 34
    lacking = {
        request.uri: str(medium)
        for request, medium in zip(requests, media, strict=True)
        if isinstance(medium, Failure)
        or medium.outcome.status is not Status.OK
        # Two clips have no more than 16 frames.
        or len({crop.frame_index for crop in medium.crops}) < medium.outcome.frames_wanted * 30 / 32
    }
    assert lacking == {}
