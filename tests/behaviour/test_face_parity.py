"""Our face cascade finds the faces that facenet-pytorch's `MTCNN` finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from deepfake.config import FaceConfig, MediaLimits, SamplingConfig
from deepfake.extract.extractor import limit_threads
from deepfake.extract.faces import MtcnnDetector, detect_frames
from deepfake.extract.sampling import sample_indices
from deepfake.media import open_video, read_image
from deepfake.types import Frame

SMALLEST = 0.08
CERTAIN = 0.95

Box = tuple[float, float, float, float]


@dataclass
class Tally:
    """What one detector found of the other's faces."""

    wanted: int = 0
    found: int = 0
    ours: int = 0
    extra: int = 0
    landmark_errors: list[float] = field(default_factory=list)


def overlap(a: Box, b: Box) -> float:
    """Return intersection over union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return inter / (sum(areas) - inter)


def frames_of(shared_data: Path) -> Iterator[np.ndarray]:
    """Yield 200 stills, then ten frames of every clip."""
    limits = MediaLimits()
    stills = sorted((shared_data / "openforensics" / "test").rglob("*.jpg"))
    for path in stills[:: len(stills) // 200][:200]:
        yield read_image(path, limits=limits).pixels
    for path in sorted((shared_data / "videos").rglob("*.mp4")):
        with open_video(path, limits=limits) as reader:
            indices = np.linspace(0, reader.info.num_frames - 1, 12).astype(int)[1:-1]
            yield from (frame.pixels for frame in reader.read(indices.tolist()))


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_same_faces_are_found(shared_data: Path) -> None:
    from facenet_pytorch import MTCNN

    limit_threads()
    detector = MtcnnDetector(FaceConfig(min_face_fraction=SMALLEST, min_confidence=0.7))
    tally = Tally()
    for pixels in frames_of(shared_data):
        smallest_px = SMALLEST * min(pixels.shape[:2])
        reference = MTCNN(keep_all=True, min_face_size=max(20, smallest_px))
        boxes, confidences, landmarks = reference.detect(pixels, landmarks=True)
        theirs = [] if boxes is None else list(zip(boxes, confidences, landmarks, strict=True))
        mine = detector.detect(pixels)
        for box, confidence, points in theirs:
            if confidence < CERTAIN or max(box[2] - box[0], box[3] - box[1]) < smallest_px:
                continue
            tally.wanted += 1
            match = max(mine, key=lambda face: overlap(box, face.bbox_xyxy), default=None)
            if match is not None and overlap(box, match.bbox_xyxy) >= 0.5:
                tally.found += 1
                eyes = np.linalg.norm((points[0] - points[1]).astype(float))
                errors = np.linalg.norm(np.array(match.landmarks) - points.astype(float), axis=1)
                tally.landmark_errors.append(float(errors.mean() / eyes))
        for face in mine:
            if face.confidence >= CERTAIN:
                tally.ours += 1
                tally.extra += not any(overlap(b, face.bbox_xyxy) >= 0.5 for b, _, _ in theirs)
    assert tally.wanted >= 500
    assert tally.found >= 0.99 * tally.wanted
    assert tally.extra <= 0.01 * tally.ours
    assert np.mean(tally.landmark_errors) <= 0.02


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("strategy", ["uniform", "bursts"])
def test_guidance_finds_the_same_faces(
    shared_data: Path, strategy: Literal["uniform", "bursts"]
) -> None:
    limit_threads()
    detector = MtcnnDetector(FaceConfig())
    num_frames = num_same = num_searched = 0
    for path in sorted((shared_data / "videos").rglob("*.mp4")):
        for seen in detect_frames(sampled(path, strategy), detector=detector):
            searched = detector.detect(seen.frame.pixels)
            num_frames += 1
            num_searched += seen.is_searched
            num_same += len(searched) == len(seen.faces) and all(
                any(overlap(ours.bbox_xyxy, theirs.bbox_xyxy) >= 0.5 for theirs in searched)
                for ours in seen.faces
            )
    assert num_frames >= 34 * 30
    assert num_searched <= 0.4 * num_frames
    assert num_same >= 0.98 * num_frames


def sampled(path: Path, strategy: Literal["uniform", "bursts"]) -> Iterator[Frame]:
    """Yield the frames of a clip that a strategy samples."""
    with open_video(path, limits=MediaLimits()) as reader:
        indices = sample_indices(
            reader.pts_seconds,
            config=SamplingConfig(strategy=strategy),
            duration_seconds=reader.info.duration_seconds,
            is_key=reader.is_key,
        )
        yield from reader.read(indices.tolist())
