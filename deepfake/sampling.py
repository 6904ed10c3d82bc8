"""Which frames of a video to look at: arithmetic on times, nothing is decoded here."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepfake.config import SamplingConfig
from deepfake.errors import EmptyMediaError
from deepfake.types import MediaInfo

__all__ = ["sample_indices", "sample_uniform", "spread_order"]

_TIE_SECONDS = 1e-6
"""A time this close before a frame's start is that frame's; rounding must not choose."""


def sample_uniform(info: MediaInfo, *, num_frames: int) -> NDArray[np.float64]:
    """Return evenly spaced timestamps, at the centre of each of `num_frames` bins.

    Args:
        info: Probed stream; `duration_seconds` must be positive.
        num_frames: Timestamps wanted, at least 1.

    Returns:
        Ascending timestamps, shape (num_frames,), float64, seconds from stream start.

    Raises:
        EmptyMediaError: The stream has no duration.
        ValueError: `num_frames` is under 1.

    Example:
        >>> sample_uniform(MediaInfo.of_seconds(4.0), num_frames=2).tolist()
        [1.0, 3.0]
    """
    if info.duration_seconds <= 0:
        raise EmptyMediaError(f"a stream of {info.duration_seconds} s has no time to sample")
    if num_frames < 1:
        raise ValueError(f"num_frames must be at least 1, got {num_frames}")
    return _bin_centres(info.duration_seconds, num_frames)


def sample_indices(
    pts_seconds: NDArray[np.float64], *, config: SamplingConfig, duration_seconds: float
) -> NDArray[np.int64]:
    """Return the indices of the frames to look at.

    `uniform` takes the frame shown at the centre of each of `num_frames` bins over the whole
    clip, `fps` the one shown at 0, 1 / fps, 2 / fps seconds and so on, `all` every frame. The
    latter two are thinned evenly to `max_frames`. A frame that is shown at two of the times
    appears once, so fewer than asked for may come back.

    Args:
        pts_seconds: Presentation time of each frame, (N,) ascending, from 0.0.
        config: The strategy and its numbers.
        duration_seconds: End of the last frame; a smaller value than its start is raised to it.

    Returns:
        Frame indices, (M,) int64, ascending, each once, at least one.

    Raises:
        EmptyMediaError: There are no frames.

    Example:
        >>> times = np.arange(100) / 25
        >>> config = SamplingConfig(num_frames=4)
        >>> sample_indices(times, config=config, duration_seconds=4.0).tolist()
        [12, 37, 62, 87]
    """
    num_available = int(pts_seconds.size)
    if num_available == 0:
        raise EmptyMediaError("a stream without frames has nothing to sample")
    end = max(float(duration_seconds), float(pts_seconds[-1]))
    if config.strategy == "uniform":
        if config.num_frames >= num_available:
            return np.arange(num_available, dtype=np.int64)
        return _shown_at(_bin_centres(end, config.num_frames), pts_seconds)
    if config.strategy == "fps":
        chosen = _at_rate(pts_seconds, fps=config.fps, end=end)
    else:
        chosen = np.arange(num_available, dtype=np.int64)
    return _thinned(chosen, config.max_frames)


def spread_order(num_frames: int, *, taken: Iterable[int], limit: int) -> list[int]:
    """Return further frames in order of greatest spread: each splits the largest gap left.

    Where the sampled frames show no face, these are the next to look at.

    Args:
        num_frames: Frames in the clip.
        taken: Frames already looked at; those out of range are passed over.
        limit: How many further frames are wanted at most.

    Returns:
        At most `limit` frame indices, none of them taken, each once, best first.

    Example:
        >>> spread_order(9, taken=[4], limit=4)
        [1, 6, 2, 7]
    """
    edges = [-1, *sorted({i for i in taken if 0 <= i < num_frames}), num_frames]
    # Largest gap first, then the earliest; a gap is what lies between two taken frames.
    gaps = [(left - right + 1, left, right) for left, right in pairwise(edges)]
    heapq.heapify(gaps)
    order: list[int] = []
    while gaps and len(order) < limit:
        negative_size, left, right = heapq.heappop(gaps)
        if negative_size >= 0:  # the largest gap holds no frame: all are taken
            break
        middle = (left + right) // 2
        order.append(middle)
        heapq.heappush(gaps, (left - middle + 1, left, middle))
        heapq.heappush(gaps, (middle - right + 1, middle, right))
    return order


def _bin_centres(end: float, num_bins: int) -> NDArray[np.float64]:
    centres: NDArray[np.float64] = (np.arange(num_bins, dtype=np.float64) + 0.5) * (end / num_bins)
    return centres


def _shown_at(seconds: NDArray[np.float64], pts_seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    at = np.searchsorted(pts_seconds, seconds + _TIE_SECONDS, side="right") - 1
    return np.unique(at.clip(min=0)).astype(np.int64)


def _at_rate(pts_seconds: NDArray[np.float64], *, fps: float, end: float) -> NDArray[np.int64]:
    # Ticks k / fps before a time: counted per frame, so that no rate makes a long list.
    starts = np.append(pts_seconds, max(end, float(pts_seconds[-1]) + 2 * _TIE_SECONDS))
    ticks_before = np.ceil((starts - _TIE_SECONDS) * fps).clip(min=0)
    return np.flatnonzero(np.diff(ticks_before) > 0).astype(np.int64)


def _thinned(chosen: NDArray[np.int64], max_frames: int) -> NDArray[np.int64]:
    if chosen.size <= max_frames:
        return chosen
    at = ((np.arange(max_frames) + 0.5) * chosen.size / max_frames).astype(np.int64)
    return chosen[at]
