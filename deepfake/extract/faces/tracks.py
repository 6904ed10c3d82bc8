"""Link the faces of sampled frames into tracks, which end at scene cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.types import Face, FaceTrack, Frame

__all__ = ["build_tracks", "find_cuts", "frame_signature", "match_faces"]

_SIGNATURE_BINS = (8, 4, 4)
_SIGNATURE_PX = 96
"""Minimum number of pixels sampled along the shorter side."""

_CUT_CORRELATION = 0.5
"""Two sampled frames with a lower histogram correlation belong to different shots. Sampled
talking-head footage stays above 0.9; shots of one film against each other mostly below 0.3."""

_MAX_SHIFT = 1.5
"""Centres farther apart than this many face sizes are different people."""

_MAX_LOG_SIZE = float(np.log(1.8))
"""Sizes that differ by more than this factor are different people."""

_MAX_GAP = 8
"""A face that is missing for at most so many sampled frames stays in its track."""


def frame_signature(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a coarse HSV histogram of a frame, for detecting scene cuts.

    Args:
        pixels: Shape (H, W, 3), uint8, RGB.

    Returns:
        Shape (128,), float32, summing to 1.
    """
    # A sample of the pixels: averaging the whole frame would cost more than the histogram.
    step = max(1, min(pixels.shape[:2]) // _SIGNATURE_PX)
    hsv = cv2.cvtColor(np.ascontiguousarray(pixels[::step, ::step]), cv2.COLOR_RGB2HSV)
    histogram = cv2.calcHist(
        [hsv], [0, 1, 2], None, list(_SIGNATURE_BINS), [0, 180, 0, 256, 0, 256]
    )
    flat = np.asarray(histogram, dtype=np.float32).ravel()
    return np.asarray(flat / max(float(flat.sum()), 1.0), dtype=np.float32)


def find_cuts(signatures: Sequence[NDArray[np.float32]]) -> list[bool]:
    """Return for each sampled frame whether it starts a new shot.

    Args:
        signatures: One per frame, ascending in time.

    Returns:
        One bool per frame; the first is False.
    """
    cuts = [False] * len(signatures)
    for i in range(1, len(signatures)):
        correlation = cv2.compareHist(signatures[i - 1], signatures[i], cv2.HISTCMP_CORREL)
        cuts[i] = bool(correlation < _CUT_CORRELATION)
    return cuts


@dataclass
class _Open:
    """A track that may still grow."""

    track_id: int
    last_seen: int
    faces: list[Face] = field(default_factory=list)
    frames: list[tuple[int, float]] = field(default_factory=list)


def build_tracks(
    frames: Sequence[tuple[Frame | tuple[int, float], Sequence[Face]]],
    *,
    cuts: Sequence[bool] | None = None,
) -> list[FaceTrack]:
    """Link faces into tracks by distance and size.

    Args:
        frames: Ascending in time: each frame, or its index and time, with its faces.
        cuts: For each frame, whether it starts a new shot; None for one shot.

    Returns:
        The tracks, in the order of first appearance; a track has at most one face a frame.
    """
    done: list[_Open] = []
    open_tracks: list[_Open] = []
    count = 0
    for position, (frame, faces) in enumerate(frames):
        index_time = (frame.frame_index, frame.pts_seconds) if isinstance(frame, Frame) else frame
        if cuts is not None and cuts[position]:
            done, open_tracks = [*done, *open_tracks], []
        alive = [t for t in open_tracks if position - t.last_seen <= _MAX_GAP]
        done.extend(t for t in open_tracks if position - t.last_seen > _MAX_GAP)
        matches = match_faces([t.faces[-1] for t in alive], faces)
        for number, face in enumerate(faces):
            if number in matches:
                track = alive[matches[number]]
            else:
                track = _Open(track_id=count, last_seen=position)
                count += 1
                alive.append(track)
            track.last_seen = position
            track.faces.append(face)
            track.frames.append(index_time)
        open_tracks = alive
    closed = sorted([*done, *open_tracks], key=lambda t: t.track_id)
    return [_close(track) for track in closed]


def _close(track: _Open) -> FaceTrack:
    return FaceTrack(
        track_id=track.track_id,
        faces=tuple(track.faces),
        frame_indices=tuple(index for index, _ in track.frames),
        pts_seconds=tuple(pts for _, pts in track.frames),
    )


def match_faces(before: Sequence[Face], now: Sequence[Face]) -> dict[int, int]:
    """Match the faces of two frames by distance and size, with the least total cost.

    Args:
        before: Faces of one frame.
        now: Faces of the other frame.

    Returns:
        Position in `before` of each matched face, by its position in `now`.
    """
    if not before or not now:
        return {}
    old, new = _geometry(before), _geometry(now)  # (B, 3), (N, 3): x, y, size
    sizes = np.sqrt(old[:, None, 2] * new[None, :, 2])
    shift = np.hypot(old[:, None, 0] - new[None, :, 0], old[:, None, 1] - new[None, :, 1]) / sizes
    growth = np.abs(np.log(old[:, None, 2] / new[None, :, 2]))
    cost = shift + growth
    is_allowed = (shift <= _MAX_SHIFT) & (growth <= _MAX_LOG_SIZE)
    if cost.size == 1:
        return {0: 0} if is_allowed[0, 0] else {}
    # Imported here since it is slow and most media show one face at a time.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(is_allowed, cost, 1e6))
    return {int(n): int(b) for b, n in zip(rows, columns, strict=True) if is_allowed[b, n]}


def _geometry(faces: Sequence[Face]) -> NDArray[np.float64]:
    return np.array([(*f.center_xy, f.size_px) for f in faces], dtype=np.float64)
