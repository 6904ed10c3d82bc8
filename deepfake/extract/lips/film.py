"""Decode the frames of one run of moments, and find the faces in some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import MouthConfig
from deepfake.extract.faces import MtcnnDetector
from deepfake.extract.lips.detect import detect_faces
from deepfake.extract.lips.follow import FollowedFace, follow_faces
from deepfake.extract.lips.mouths import cut_mouth
from deepfake.media import VideoReader
from deepfake.types import Frame

__all__ = ["FilmedRun", "film_run"]

_MAX_APART_SECONDS = 0.1
"""A frame stands for a moment that is so far from it, at most."""
_MOST_PIXELS = 3840 * 2160
"""Of a frame that is held in memory with the others of its run; a larger one is halved."""


@dataclass(frozen=True, slots=True)
class FilmedRun:
    """The faces of a run of moments, and the frames that stand for these.

    Attributes:
        seconds: Time of each moment, from the start of the file, shape (T,).
        faces: Followed over some of the moments, the largest first.
        frames: Grey frames, each shape (H, W), by rank.
        frame_of: Rank of each moment's frame, shape (T,).
        shrunk: Factor by which the frames were made smaller.
        signatures: Of the first and the last frame in which faces were looked for; none without.
        num_wanted: Frames that were to be decoded.
    """

    seconds: NDArray[np.float64]
    faces: tuple[FollowedFace, ...] = ()
    frames: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    frame_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    shrunk: int = 1
    signatures: tuple[NDArray[np.float32], ...] = ()
    num_wanted: int = 0

    def mouths_of(self, face: FollowedFace, *, config: MouthConfig) -> NDArray[np.uint8]:
        """Return the mouth of a face at each of its moments, shape (T, S, S), uint8."""
        ranks = self.frame_of[face.first : face.first + len(face.landmarks)].tolist()
        points = (face.landmarks + 0.5) / self.shrunk - 0.5
        return np.stack(
            [
                cut_mouth(self.frames[rank], landmarks, config=config)
                for rank, landmarks in zip(ranks, points, strict=True)
            ]
        )


def film_run(
    reader: VideoReader,
    *,
    begin_seconds: float,
    end_seconds: float,
    detector: MtcnnDetector,
    config: MouthConfig,
) -> FilmedRun:
    """Decode the frames nearest to the moments of a run, and follow the faces in them.

    Moments are `1 / fps` apart from the frame nearest to the beginning on. Of a run in which frames
    are missing, by damage or as the picture stands still, the longest part is taken.

    Args:
        reader: The video.
        begin_seconds: Of the run, from the start of the file.
        end_seconds: Of the run.
        detector: Detects faces in every `detect_every`-th moment, and in the last one.
        config: How far moments are apart, and which faces count.
    """
    times = reader.pts_seconds + reader.start_seconds
    num = int((end_seconds - begin_seconds) * config.fps + 1e-6)
    start = float(times[np.argmin(np.abs(times - begin_seconds))])
    seconds = start + np.arange(num) / config.fps
    at = _longest(np.abs(times[_nearest(times, seconds)] - seconds) <= _MAX_APART_SECONDS)
    seconds = seconds[at]
    if not len(seconds):
        return FilmedRun(seconds)
    frame_of = _nearest(times, seconds)
    return _filmed(reader, seconds, frame_of, detector=detector, config=config)


def _filmed(
    reader: VideoReader,
    seconds: NDArray[np.float64],
    frame_of: NDArray[np.int64],
    *,
    detector: MtcnnDetector,
    config: MouthConfig,
) -> FilmedRun:
    looked_at = sorted({*range(0, len(seconds), config.detect_every), len(seconds) - 1})
    positions = {int(frame_of[position]): position for position in reversed(looked_at)}
    grey: dict[int, NDArray[np.uint8]] = {}
    frames = _kept_frames(reader, np.unique(frame_of).tolist(), wanted=positions, grey=grey)
    detected = list(detect_faces(frames, positions=positions, detector=detector))
    found = follow_faces(detected, min_moments=_min_moments(config)) if detected else []
    large = [face for face in found if face.face_px >= config.min_face_px]
    num_wanted = len(np.unique(frame_of))
    shrunk = _shrunk_by(reader.info.frame_wh)
    return FilmedRun(
        seconds,
        faces=tuple(f for f in large if _is_decoded(f, frame_of, grey))[: config.max_faces],
        frames=grey,
        frame_of=frame_of,
        shrunk=shrunk,
        signatures=(detected[0].signature, detected[-1].signature) if detected else (),
        num_wanted=num_wanted,
    )


def _kept_frames(
    reader: VideoReader,
    indices: Sequence[int],
    *,
    wanted: dict[int, int],
    grey: dict[int, NDArray[np.uint8]],
) -> Iterator[Frame]:
    """Yield the frames in which faces are looked for, and put all of them, in grey, into `grey`."""
    for frame in reader.read(indices):
        grey[frame.frame_index] = _grey(frame)
        if frame.frame_index in wanted:
            yield frame


def _grey(frame: Frame) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY)
    factor = _shrunk_by((frame.width, frame.height))
    if factor > 1:
        size = (frame.width // factor, frame.height // factor)
        grey = cv2.resize(
            grey[: size[1] * factor, : size[0] * factor], size, interpolation=cv2.INTER_AREA
        )
    return np.asarray(grey, np.uint8)


def _shrunk_by(frame_wh: tuple[int, int]) -> int:
    return int(np.ceil(np.sqrt(frame_wh[0] * frame_wh[1] / _MOST_PIXELS)))


def _is_decoded(
    face: FollowedFace, frame_of: NDArray[np.int64], grey: dict[int, NDArray[np.uint8]]
) -> bool:
    """Return whether every frame of a face could be decoded, and has one size."""
    ranks = frame_of[face.first : face.first + len(face.landmarks)].tolist()
    return len({grey[rank].shape if rank in grey else None for rank in ranks}) == 1 and all(
        rank in grey for rank in ranks
    )


def _min_moments(config: MouthConfig) -> int:
    return max(2, int(config.min_run_seconds * config.fps + 1e-6))


def _nearest(times: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the frame nearest to each moment, of two the earlier one."""
    after = np.searchsorted(times, seconds).clip(1, max(1, len(times) - 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    is_before = seconds - times[before] <= times[after] - seconds + 1e-6
    nearest: NDArray[np.int64] = np.where(is_before, before, after)
    return nearest


def _longest(is_there: NDArray[np.bool_]) -> slice:
    """Return the longest part without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_there, [False]]).astype(np.int8)))
    parts = edges.reshape(-1, 2).tolist()
    first, end = max(parts, key=lambda part: part[1] - part[0], default=(0, 0))
    return slice(first, end)
