"""Choose the frames of a video to extract, from their times alone; nothing is decoded here."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepfake.config import SamplingConfig
from deepfake.errors import EmptyMediaError

__all__ = ["sample_indices", "spread_order"]

_DECODED_FOR_ONE = 1.5
"""For `bursts`: frames that may be decoded, for each frame that is chosen."""
_TIE_SECONDS = 1e-6
"""A time this close before a frame's start counts as that frame's, against rounding errors."""


def sample_indices(
    pts_seconds: NDArray[np.float64],
    *,
    config: SamplingConfig,
    duration_seconds: float,
    is_key: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Return the indices of the frames to extract.

    - `uniform`: the frame shown at the centre of each of `num_frames` bins over the whole clip.
    - `keyframes`: `num_frames` key frames spread over the clip, all if there are fewer. They can
      be decoded alone.
    - `bursts`: `num_frames` frames in runs of about `burst_length`, each after a key frame, the
      key frames spread over the clip. Where these are too few for so many runs, further runs
      start inside the longest groups of pictures. For each chosen frame at most
      one other is decoded, however long the clip is.
    - `runs`: runs of successive frames, each `run_seconds` long at the clip's own rate, in the
      middle of equal parts of the clip; together at most `num_frames`.
    - `fps`: the frame shown at 0, 1 / fps, 2 / fps seconds and so on.
    - `all`: every frame.

    The last two are thinned evenly to `max_frames`. Each frame appears once, so fewer than
    requested may be returned. If no frame is marked as a key frame, `keyframes` and `bursts`
    work like `uniform`.

    Args:
        pts_seconds: Presentation time of each frame, (N,) ascending, from 0.0.
        config: The strategy and its numbers.
        duration_seconds: End of the last frame; a smaller value than its start is raised to it.
        is_key: Whether decoding can start at a frame, (N,) bool; None if unknown.

    Returns:
        Frame indices, (M,) int64, ascending, each once, at least one.

    Raises:
        EmptyMediaError: There are no frames.
        ValueError: `is_key` is of another length than `pts_seconds`.

    Example:
        >>> times, is_key = np.arange(100) / 25, np.arange(100) % 25 == 0
        >>> config = SamplingConfig(num_frames=4)
        >>> sample_indices(times, config=config, duration_seconds=4.0).tolist()
        [12, 37, 62, 87]
        >>> config = SamplingConfig(strategy="keyframes", num_frames=2)
        >>> sample_indices(times, config=config, duration_seconds=4.0, is_key=is_key).tolist()
        [25, 75]
        >>> config = SamplingConfig(strategy="bursts", num_frames=4, burst_length=2)
        >>> sample_indices(times, config=config, duration_seconds=4.0, is_key=is_key).tolist()
        [25, 26, 75, 76]
        >>> config = SamplingConfig(strategy="runs", num_frames=6, run_seconds=0.12)
        >>> sample_indices(times, config=config, duration_seconds=4.0).tolist()
        [23, 24, 25, 73, 74, 75]
    """
    num_available = int(pts_seconds.size)
    if num_available == 0:
        raise EmptyMediaError("a stream without frames has nothing to sample")
    if is_key is not None and is_key.size != num_available:
        raise ValueError(f"is_key is of {is_key.size} frames, pts_seconds of {num_available}")
    end = max(float(duration_seconds), float(pts_seconds[-1]))
    keys = np.flatnonzero(np.zeros(0) if is_key is None else is_key)
    if config.strategy == "fps":
        return _thinned(_at_rate(pts_seconds, fps=config.fps, end=end), config.max_frames)
    if config.strategy == "all":
        return _thinned(np.arange(num_available, dtype=np.int64), config.max_frames)
    if config.strategy == "keyframes" and keys.size:
        return _spread_keys(keys, pts_seconds, wanted=config.num_frames, end=end)
    if config.strategy == "runs":
        return _runs(pts_seconds, config=config, end=end)
    if config.num_frames >= num_available:
        return np.arange(num_available, dtype=np.int64)
    if config.strategy == "bursts" and keys.size:
        return _bursts(keys, pts_seconds, config=config, end=end)
    return _shown_at(_bin_centres(end, config.num_frames), pts_seconds)


def spread_order(num_frames: int, *, taken: Iterable[int], limit: int) -> list[int]:
    """Return further frames, each in the middle of the largest gap that is left.

    These are extracted next if the sampled frames show no face.

    Args:
        num_frames: Frames in the clip.
        taken: Frames chosen before; those out of range are ignored.
        limit: Maximum number of further frames.

    Returns:
        At most `limit` frame indices, none of them taken, each once, best first.

    Example:
        >>> spread_order(9, taken=[4], limit=4)
        [1, 6, 2, 7]
    """
    edges = [-1, *sorted({i for i in taken if 0 <= i < num_frames}), num_frames]
    # The largest gap first, then the earliest; a gap lies between two chosen frames.
    gaps = [(left - right + 1, left, right) for left, right in pairwise(edges)]
    heapq.heapify(gaps)
    order: list[int] = []
    while gaps and len(order) < limit:
        negative_size, left, right = heapq.heappop(gaps)
        if negative_size >= 0:  # the largest gap is empty: all frames are taken
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


def _spread_keys(
    keys: NDArray[np.int64], pts_seconds: NDArray[np.float64], *, wanted: int, end: float
) -> NDArray[np.int64]:
    """Return the key frames nearest to the centres of `wanted` bins, each once."""
    if keys.size <= wanted:
        return keys
    centres = _bin_centres(end, wanted)
    times = pts_seconds[keys]
    after = np.searchsorted(times, centres).clip(1, keys.size - 1)
    is_before = centres - times[after - 1] <= times[after] - centres
    nearest = after - is_before
    # If a key frame is taken already, use the next one, as far as there are any.
    order = np.arange(wanted)
    nearest = np.maximum.accumulate(nearest - order) + order
    chosen: NDArray[np.int64] = keys[np.minimum(nearest, keys.size - wanted + order)]
    return chosen


def _runs(
    pts_seconds: NDArray[np.float64], *, config: SamplingConfig, end: float
) -> NDArray[np.int64]:
    """Return runs of successive frames, each in the middle of its part of the clip."""
    num_available = int(pts_seconds.size)
    rate = num_available / end if end > 0 else 1.0
    most = min(config.num_frames, num_available)
    length = min(max(1, round(config.run_seconds * rate)), most)
    num_runs = most // length
    centres = (np.arange(num_runs) + 0.5) * num_available / num_runs
    starts = np.floor(centres - length / 2).astype(np.int64)
    found: NDArray[np.int64] = (starts[:, None] + np.arange(length)).ravel()
    return found


def _bursts(
    keys: NDArray[np.int64],
    pts_seconds: NDArray[np.float64],
    *,
    config: SamplingConfig,
    end: float,
) -> NDArray[np.int64]:
    """Return runs of frames at key frames and, if these are too few, between them."""
    num_available, wanted = int(pts_seconds.size), config.num_frames
    if keys[0] > 0:  # decoding can always start at the first frame
        keys = np.append(0, keys)
    num_runs = -(-wanted // config.burst_length)
    starts = _spread_keys(keys, pts_seconds, wanted=num_runs, end=end)
    if starts.size < num_runs:
        # What is left of the decoding budget with a run at each key frame.
        reach = max(0, int(_DECODED_FOR_ONE * wanted) - keys.size * config.burst_length)
        walls = np.append(keys, num_available)
        starts = _with_runs_between(walls, num_more=num_runs - keys.size, reach=reach)
    if num_available - starts[0] < wanted:  # too few frames follow
        starts = np.append(0, starts)
    lengths = _divided_evenly(np.diff(np.append(starts, num_available)), total=wanted)
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(wanted, dtype=np.int64)


def _with_runs_between(walls: NDArray[np.int64], *, num_more: int, reach: int) -> NDArray[np.int64]:
    """Return the starts of runs: each key frame, and more inside the longest groups of pictures.

    All frames between a key frame and a run in its group have to be decoded. So the budget of
    `reach` frames is divided evenly among the groups, and runs are spaced evenly within them.

    Args:
        walls: The key frames, then the number of frames, ascending.
        num_more: Number of runs beside those at the key frames.
        reach: Maximum total distance from key frames to the last runs of their groups, frames.
    """
    sizes = np.diff(walls)
    longest = np.sort(np.argsort(-sizes, kind="stable")[:num_more])
    room = sizes[longest] - 1
    farthest = _divided_evenly(room, total=min(int(room.sum()), reach)).tolist()
    groups = list(zip(walls[longest].tolist(), sizes[longest].tolist(), farthest, strict=True))
    counts = _divide_runs([group[1:] for group in groups], num_more=num_more)
    between = [
        key + np.floor(np.arange(1, count + 1) * _spacing(size, far, count))
        for (key, size, far), count in zip(groups, counts, strict=True)
        if count
    ]
    return np.unique(np.concatenate([walls[:-1], *between])).astype(np.int64)


def _divide_runs(groups: Sequence[tuple[int, int]], *, num_more: int) -> list[int]:
    """Return the number of runs of each group; each goes where runs are farthest apart."""
    counts = [0] * len(groups)
    widest = [(-_spacing(size, far, 1), group) for group, (size, far) in enumerate(groups)]
    heapq.heapify(widest)
    for _ in range(num_more):
        group = widest[0][1]
        counts[group] += 1
        heapq.heapreplace(widest, (-_spacing(*groups[group], counts[group] + 1), group))
    return counts


def _spacing(size: int, far: int, count: int) -> float:
    # Evenly up to the next key frame, or up to the end of the decoding budget.
    return min(size / (count + 1), far / count)


def _divided_evenly(capacity: NDArray[np.int64], *, total: int) -> NDArray[np.int64]:
    """Divide `total` into integers as equal as the capacities allow.

    Example:
        >>> _divided_evenly(np.array([9, 2, 5]), total=11).tolist()
        [5, 2, 4]
    """
    ascending = np.sort(capacity)
    # With the k smallest filled, the rest is divided among the others.
    filled = np.concatenate([[0], np.cumsum(ascending)[:-1]])
    levels = (total - filled) // np.arange(capacity.size, 0, -1)
    has_room = levels < ascending
    level = levels[np.argmax(has_room)] if has_room.any() else ascending[-1]
    shares: NDArray[np.int64] = np.minimum(capacity, level)
    above = np.flatnonzero(capacity > level)[: total - int(shares.sum())]
    shares[above] += 1
    return shares
