"""Time the face detectors alone, on frames in memory."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from benchmarks.speed.clips import Clip, spread_items
from benchmarks.speed.interleave import SEED
from benchmarks.speed.stock_arm import detect_by_mtcnn
from deepfake.config import FaceConfig, MediaLimits
from deepfake.extract.faces import MtcnnDetector
from deepfake.media import open_video
from deepfake.types import Face

__all__ = ["DETECTORS", "FrameTimes", "time_detectors"]

DETECTORS = ("ours", "stock", "stock_same_smallest_face")

_FRAMES_A_CLIP = 8
_REPEATS = {"ours": 3, "stock": 1, "stock_same_smallest_face": 1}
"""Of a frame; the median counts. What takes ten times as long is as steady for it."""

Pixels = NDArray[np.uint8]
Detect = Callable[[Pixels], list[Face]]


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """What one frame cost.

    Attributes:
        clip: Name of the clip that it is from.
        cpu_seconds: By detector.
        num_faces: By detector, at the confidence that is asked of ours.
    """

    clip: str
    cpu_seconds: dict[str, float]
    num_faces: dict[str, int]


def time_detectors(
    clips: Sequence[Clip], *, on_clip: Callable[[str], None] = lambda _: None
) -> list[FrameTimes]:
    """Time each detector on frames spread over each clip, each frame by itself.

    Every detector looks once at the first frame of a clip before the clock runs.

    Args:
        clips: Planned.
        on_clip: Called with the name of each clip before it.
    """
    config = FaceConfig()
    ours, stock = MtcnnDetector(config), MTCNN(keep_all=True)
    times: list[FrameTimes] = []
    for clip in clips:
        on_clip(clip.name)
        smallest = config.min_face_fraction * clip.shorter_side
        same_size = MTCNN(keep_all=True, min_face_size=smallest)
        detectors: dict[str, Detect] = {
            "ours": ours.detect,
            "stock": partial(detect_by_mtcnn, stock),
            "stock_same_smallest_face": partial(detect_by_mtcnn, same_size),
        }
        frames = _frames(clip)
        for detect in detectors.values():
            detect(frames[0])
        for number, pixels in enumerate(frames):
            times.append(_time_frame(detectors, pixels, clip=clip.name, number=number))
    return times


def _frames(clip: Clip) -> list[Pixels]:
    indices = spread_items(clip.indices, count=_FRAMES_A_CLIP)
    with open_video(clip.path, limits=MediaLimits()) as reader:
        return [frame.pixels for frame in reader.read(indices)]


def _time_frame(
    detectors: Mapping[str, Detect], pixels: Pixels, *, clip: str, number: int
) -> FrameTimes:
    turns = [name for name in DETECTORS for _ in range(_REPEATS[name])]
    random.Random(f"{SEED} {clip} {number}").shuffle(turns)
    seconds: dict[str, list[float]] = {name: [] for name in DETECTORS}
    num_faces: dict[str, int] = {}
    for name in turns:
        started = time.process_time()
        faces = detectors[name](pixels)
        seconds[name].append(time.process_time() - started)
        num_faces[name] = sum(f.confidence >= FaceConfig().min_confidence for f in faces)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return FrameTimes(clip=clip, cpu_seconds=medians, num_faces=num_faces)
