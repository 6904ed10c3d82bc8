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
    # Of the generated ones some show no face in some of their frames, by design of a generator.
    folders = ("FaceForensics++", "DFDC", "Celeb-DF-v2", "talking-heads")
    clips = [p for name in folders for p in sorted((shared_data / "videos" / name).rglob("*.mp4"))]
    requests = [ExtractRequest(str(clip), sha256_of(clip)) for clip in clips]
    with MediaWorkers(worker_setup(ExtractConfig())) as workers:
        media = list(workers.map(extract_medium, requests))
    assert len(media) == 34
    lacking = {
        request.uri: str(medium)
        for request, medium in zip(requests, media, strict=True)
        if isinstance(medium, Failure)
        or medium.outcome.status is not Status.OK
        or len({crop.frame_index for crop in medium.crops}) < 30
    }
    assert lacking == {}
