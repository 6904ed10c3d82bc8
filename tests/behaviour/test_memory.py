"""Large frames and long videos stay within 1.5 GB of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake.compute.workers import MediaWorkers
from deepfake.config import ExtractConfig, SamplingConfig, WorkerLimits
from deepfake.corpora.ingest import worker_setup
from deepfake.extract.extractor import ExtractedMedium, ExtractRequest, extract_medium
from deepfake.media import write_video
from deepfake.storage import sha256_of, to_uri
from deepfake.types import Status
from tests.sample_data import Pixels, face_close_up, write_face_clip

LIMITS = WorkerLimits(memory_bytes=1_500_000_000)


def large_frames(count: int) -> Iterator[Pixels]:
    """Yield 4K frames with a head that drifts."""
    head = cv2.resize(face_close_up(256), (900, 900))
    for step in range(count):
        frame = np.full((2160, 3840, 3), 90, dtype=np.uint8)
        left = 1000 + 8 * step
        frame[500:1400, left : left + 900] = head
        yield frame


def extracted(path: Path, *, sampling: SamplingConfig) -> ExtractedMedium:
    """Extract a file in a worker that is killed over the limit."""
    setup = worker_setup(
        ExtractConfig(sampling=sampling), cache=path.parent / "cache", limits=LIMITS, num_workers=1
    )
    with MediaWorkers(setup) as workers:
        (found,) = workers.map(extract_medium, [ExtractRequest(to_uri(path), sha256_of(path))])
    assert isinstance(found, ExtractedMedium), found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["uniform", "all"])
def test_a_4k_clip(tmp_path: Path, strategy: str) -> None:
    path = write_video(
        tmp_path / "4k.mp4", large_frames(50), fps=25, options={"preset": "ultrafast"}
    )
    sampling = SamplingConfig.model_validate({"strategy": strategy})
    medium = extracted(path, sampling=sampling)
    assert medium.outcome.status is Status.OK
    assert medium.frame_wh == (3840, 2160)
    assert medium.outcome.num_faces == (32 if strategy == "uniform" else 50)


@pytest.mark.slow
def test_a_two_hour_film(tmp_path: Path) -> None:
    from benchmarks.speed.media import loop_clip

    clip = write_face_clip(tmp_path / "clip.mp4", num_frames=250)
    film = loop_clip(clip, tmp_path / "film.mp4", seconds=7200, max_bytes=10**9)
    medium = extracted(film, sampling=SamplingConfig(strategy="bursts"))
    assert medium.outcome.status is Status.OK
    assert medium.outcome.details["duration_seconds"] >= 7190
    assert medium.outcome.frames_read == 32
    assert medium.crops[-1].pts_seconds > 3600
