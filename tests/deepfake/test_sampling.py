"""Which frames are looked at."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake.config import SamplingConfig
from deepfake.errors import EmptyMediaError
from deepfake.sampling import sample_indices, sample_uniform, spread_order
from deepfake.types import MediaInfo

TIMES = np.arange(100) / 25


def indices(pts: np.ndarray, *, end: float, **settings: object) -> list[int]:
    config = SamplingConfig(**settings)  # type: ignore[arg-type]
    return sample_indices(pts, config=config, duration_seconds=end).tolist()


def test_uniform_takes_bin_centres() -> None:
    assert indices(TIMES, end=4.0, num_frames=4) == [12, 37, 62, 87]
    assert indices(TIMES, end=4.0, num_frames=1) == [50]


def test_evenly_spaced_is_not_the_first_frames() -> None:
    chosen = indices(np.arange(3000) / 25, end=120.0, num_frames=32)
    assert len(chosen) == 32
    assert chosen[0] > 32 and chosen[-1] > 2900
    assert np.ptp(np.diff(chosen)) <= 1
    for strategy in ("all", "fps"):
        capped = indices(np.arange(3000) / 25, end=120.0, strategy=strategy, fps=5.0, max_frames=10)
        assert len(capped) == 10
        assert np.ptp(np.diff(capped)) <= 5
        assert capped[-1] > 2700


def test_time_counts_not_rank_where_the_rate_varies() -> None:
    pts = np.concatenate([np.arange(100) * 0.001, [5.0, 9.0]])
    assert indices(pts, end=10.0, num_frames=5) == [99, 100, 101]
    pts = np.array([0.0, 0.1, 0.2, 0.3, 8.0])
    assert indices(pts, end=8.1, num_frames=4) == [3]


def test_a_short_clip_gives_every_frame_once() -> None:
    assert indices(TIMES[:5], end=0.2, num_frames=32) == [0, 1, 2, 3, 4]
    assert indices(np.zeros(1), end=0.0, num_frames=32) == [0]
    assert indices(np.zeros(1), end=0.0, strategy="fps") == [0]


def test_rounding_does_not_choose() -> None:
    for fps in (23.976, 24, 25, 29.97, 30, 50):
        pts = np.arange(200) / fps
        assert len(indices(pts, end=200 / fps, num_frames=100)) == 100
        assert indices(pts, end=200 / fps, strategy="fps", fps=fps) == list(range(200))


def test_fps_takes_one_frame_a_tick() -> None:
    assert indices(TIMES, end=4.0, strategy="fps", fps=1.0) == [0, 25, 50, 75]
    assert indices(TIMES, end=4.0, strategy="fps", fps=2.5) == list(range(0, 100, 10))
    assert indices(TIMES, end=4.0, strategy="fps", fps=0.01) == [0]
    assert indices(TIMES, end=4.0, strategy="fps", fps=1e9) == list(range(100))


def test_all_takes_all() -> None:
    assert indices(TIMES, end=4.0, strategy="all") == list(range(100))


def test_nothing_to_sample_is_an_error() -> None:
    with pytest.raises(EmptyMediaError):
        indices(np.zeros(0), end=1.0)
    with pytest.raises(EmptyMediaError):
        sample_uniform(MediaInfo.of_seconds(0.0), num_frames=3)
    with pytest.raises(ValueError, match="at least 1"):
        sample_uniform(MediaInfo.of_seconds(1.0), num_frames=0)


@given(
    gaps=st.lists(st.floats(0.001, 3.0), min_size=0, max_size=60),
    wanted=st.integers(1, 80),
    rate=st.floats(0.05, 100),
    strategy=st.sampled_from(["uniform", "fps", "all"]),
)
def test_indices_are_valid_whatever_the_times(
    gaps: list[float], wanted: int, rate: float, strategy: str
) -> None:
    pts = np.concatenate([[0.0], np.cumsum(gaps)])
    chosen = indices(
        pts, end=float(pts[-1]), strategy=strategy, num_frames=wanted, fps=rate, max_frames=wanted
    )
    assert 1 <= len(chosen) <= wanted
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < len(pts)


def test_spread_splits_the_largest_gap() -> None:
    assert spread_order(100, taken=[10, 20, 80], limit=4) == [50, 35, 65, 90]
    assert spread_order(100, taken=[], limit=1) == [49]


@given(count=st.integers(0, 60), taken=st.sets(st.integers(-3, 70)), limit=st.integers(0, 80))
def test_spread_gives_new_frames_once(count: int, taken: set[int], limit: int) -> None:
    order = spread_order(count, taken=taken, limit=limit)
    free = set(range(count)) - taken
    assert len(order) == len(set(order)) == min(limit, len(free))
    assert set(order) <= free


def test_spread_shrinks_the_largest_gap_step_by_step() -> None:
    taken = [3, 40, 41, 90]
    widest = []
    for frame in spread_order(100, taken=taken, limit=60):
        widest.append(max(np.diff(sorted([-1, *taken, 100]))))
        taken = [*taken, frame]
    assert widest == sorted(widest, reverse=True)


def test_spread_is_quick_on_a_long_clip() -> None:
    start = time.perf_counter()
    assert len(spread_order(1_000_000, taken=range(0, 1_000_000, 7), limit=50_000)) == 50_000
    assert time.perf_counter() - start < 5
