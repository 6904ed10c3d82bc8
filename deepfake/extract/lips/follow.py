"""Follow the faces of a run of frames: landmarks at every moment out of some detections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepfake.extract.faces import build_tracks, find_cuts
from deepfake.extract.lips.detect import DetectedFaces
from deepfake.types import Face, FaceTrack

__all__ = ["FollowedFace", "follow_faces"]

_MAX_MISSED = 1
"""Detections in a row that may miss a face between two that see it."""
_SMOOTHED_OVER = 9
"""Moments that landmarks are averaged over, with Hann weights: detections are a pixel or two off
at random, and the square around the mouth must not tremble."""


@dataclass(frozen=True, slots=True)
class FollowedFace:
    """A face over successive moments of a run.

    Attributes:
        first: Its first moment.
        landmarks: At each moment, shape (T, 5, 2), pixels of the frame.
        face_px: Median size, pixels.
        begin: The face as it is first seen.
        end: The face as it is last seen.
    """

    first: int
    landmarks: NDArray[np.float64]
    face_px: float
    begin: Face
    end: Face


def follow_faces(detected: Sequence[DetectedFaces], *, min_moments: int) -> list[FollowedFace]:
    """Return the faces that are seen long enough at a time, the largest first.

    A face ends at a cut between shots, and where it is missed more than once. Of a face that is
    lost and comes back the longest time counts.

    Args:
        detected: Ascending in position.
        min_moments: Moments that a face must be seen for.
    """
    cuts = find_cuts([frame.signature for frame in detected])
    frames = [((frame.position, float(frame.position)), frame.faces) for frame in detected]
    order = {frame.position: rank for rank, frame in enumerate(detected)}
    found = []
    for track in build_tracks(frames, cuts=cuts):
        first, end = max(_stretches(track, order=order), key=lambda s: _length(track, s))
        if _length(track, (first, end)) >= min_moments:
            found.append(_followed(track, first=first, end=end))
    return sorted(found, key=lambda face: -face.face_px)


def _stretches(track: FaceTrack, *, order: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Yield first and end of each part of a track without long gaps, as ranks of its faces."""
    ranks = [order[position] for position in track.frame_indices]
    breaks = [at for at, (a, b) in enumerate(pairwise(ranks), 1) if b - a > 1 + _MAX_MISSED]
    yield from pairwise([0, *breaks, len(ranks)])


def _length(track: FaceTrack, stretch: tuple[int, int]) -> int:
    first, end = stretch
    return track.frame_indices[end - 1] - track.frame_indices[first] + 1


def _followed(track: FaceTrack, *, first: int, end: int) -> FollowedFace:
    faces, positions = track.faces[first:end], track.frame_indices[first:end]
    moments = np.arange(positions[0], positions[-1] + 1)
    seen = np.array([face.landmarks for face in faces]).reshape(len(faces), 10)  # (D, 10)
    between = np.stack([np.interp(moments, positions, column) for column in seen.T], axis=1)
    return FollowedFace(
        first=int(positions[0]),
        landmarks=_smooth(between).reshape(-1, 5, 2),
        face_px=float(np.median([face.size_px for face in faces])),
        begin=faces[0],
        end=faces[-1],
    )


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over time, shape (T, C); a straight line, even at its ends, stays as it is."""
    weights = np.hanning(_SMOOTHED_OVER + 2)[1:-1]
    half = _SMOOTHED_OVER // 2
    ahead = 2 * values[0] - values[1 : half + 1][::-1]
    behind = 2 * values[-1] - values[-half - 1 : -1][::-1]
    padded = np.concatenate([ahead, values, behind])
    smooth = [np.convolve(column, weights / weights.sum(), mode="valid") for column in padded.T]
    return np.stack(smooth, axis=1)
