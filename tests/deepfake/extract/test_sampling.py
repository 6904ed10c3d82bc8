"""Choosing the frames of a video."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake.config import SamplingConfig
from deepfake.errors import EmptyMediaError
from deepfake.extract.sampling import sample_indices, spread_order

TIMES = np.arange(100) / 25


def indices(
    pts: np.ndarray, *, end: float, is_key: np.ndarray | None = None, **settings: object
) -> list[int]:
    config = SamplingConfig(**settings)  # type: ignore[arg-type]
    return sample_indices(pts, config=config, duration_seconds=end, is_key=is_key).tolist()


def keyed(length: int, keys: Sequence[int], **settings: object) -> list[int]:
    """Sample a clip of 25 frames a second with the given key frames."""
    is_key = np.zeros(length, bool)
    is_key[list(keys)] = True
    pts = np.arange(length) / 25
    return indices(pts, end=length / 25, is_key=is_key, **settings)


def num_decoded(chosen: Sequence[int], is_key: np.ndarray) -> int:
    """Count the frames that a reader has to decode for those chosen, jumping where it pays."""
    decoded, reached = 0, -1
    for frame in chosen:
        key = int(np.flatnonzero(is_key[: frame + 1])[-1]) if is_key[: frame + 1].any() else 0
        decoded += frame - max(key - 1, reached)
        reached = frame
    return decoded


def runs_of(chosen: Sequence[int]) -> list[list[int]]:
    return [part.tolist() for part in np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)]


def test_uniform_takes_bin_centres() -> None:
    assert indices(TIMES, end=4.0, num_frames=4) == [12, 37, 62, 87]
    assert indices(TIMES, end=4.0, num_frames=1) == [50]


def test_runs_are_of_successive_frames_and_spread() -> None:
    chosen = indices(np.arange(1000) / 25, end=40.0, strategy="runs", num_frames=32)
    runs = runs_of(chosen)
    assert [len(run) for run in runs] == [16, 16], "0.64 s at 25 frames a second"
    assert [run[0] for run in runs] == [242, 742]
    fast = runs_of(
        indices(np.arange(1000) / 50, end=20.0, strategy="runs", num_frames=40, run_seconds=0.2)
    )
    assert [len(run) for run in fast] == [10] * 4, "as long in time, at twice the rate"
    one = indices(np.arange(1000) / 25, end=40.0, strategy="runs", num_frames=8)
    assert (len(one), one[-1] - one[0]) == (8, 7), "never more frames than asked for"
    assert indices(TIMES[:5], end=0.2, strategy="runs", num_frames=32) == [0, 1, 2, 3, 4]


def test_settings_that_are_younger_than_digests_are_left_out() -> None:
    assert "run_seconds" not in SamplingConfig().model_dump()
    assert SamplingConfig(strategy="runs", run_seconds=1.0).model_dump()["run_seconds"] == 1.0


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


@given(
    gaps=st.lists(st.floats(0.001, 3.0), min_size=0, max_size=60),
    wanted=st.integers(1, 80),
    rate=st.floats(0.05, 100),
    strategy=st.sampled_from(["uniform", "fps", "all", "keyframes", "bursts"]),
    burst_length=st.integers(1, 9),
    keys=st.none() | st.sets(st.integers(0, 60)),
)
def test_indices_are_valid_whatever_the_times(
    gaps: list[float],
    wanted: int,
    rate: float,
    strategy: str,
    burst_length: int,
    keys: set[int] | None,
) -> None:
    pts = np.concatenate([[0.0], np.cumsum(gaps)])
    chosen = indices(
        pts,
        end=float(pts[-1]),
        is_key=None if keys is None else np.isin(np.arange(pts.size), list(keys)),
        strategy=strategy,
        num_frames=wanted,
        fps=rate,
        max_frames=wanted,
        burst_length=burst_length,
    )
    assert 1 <= len(chosen) <= wanted
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < len(pts)


def test_keyframes_are_spread_over_the_clip() -> None:
    chosen = keyed(3000, range(0, 3000, 50), strategy="keyframes", num_frames=6)
    assert chosen == [250, 750, 1250, 1750, 2250, 2750]
    assert keyed(3000, [0, 700, 2900], strategy="keyframes") == [0, 700, 2900]
    # Nearly all of them at the start: still as many as asked for.
    assert len(keyed(3000, [*range(20), 2900], strategy="keyframes", num_frames=12)) == 12


def test_without_key_frames_sampling_is_uniform() -> None:
    for strategy in ("keyframes", "bursts"):
        uniform = indices(TIMES, end=4.0, num_frames=8)
        assert indices(TIMES, end=4.0, num_frames=8, strategy=strategy) == uniform
        assert keyed(100, [], num_frames=8, strategy=strategy) == uniform


def test_key_frames_of_another_clip_are_refused() -> None:
    with pytest.raises(ValueError, match="is_key is of 7 frames"):
        indices(TIMES, end=4.0, is_key=np.ones(7, bool), strategy="keyframes")


@given(
    num_frames=st.integers(1, 400),
    keys=st.sets(st.integers(0, 399), min_size=1),
    wanted=st.integers(1, 60),
)
def test_keyframes_are_key_frames_and_as_many_as_can_be(
    num_frames: int, keys: set[int], wanted: int
) -> None:
    keys = {key % num_frames for key in keys}
    chosen = keyed(num_frames, sorted(keys), strategy="keyframes", num_frames=wanted)
    assert set(chosen) <= keys
    assert len(chosen) == min(wanted, len(keys))


def test_bursts_are_runs_after_key_frames_all_over_a_film() -> None:
    chosen = keyed(180_000, range(0, 180_000, 250), strategy="bursts")
    runs = runs_of(chosen)
    assert [len(run) for run in runs] == [4] * 8
    assert all(run[0] % 250 == 0 for run in runs)
    assert np.allclose([run[0] for run in runs], (np.arange(8) + 0.5) * 180_000 / 8, atol=125)


def test_bursts_of_a_short_clip_reach_into_its_groups() -> None:
    # Ten seconds and two key frames, as most clips have.
    chosen = keyed(300, [0, 250], strategy="bursts")
    runs = runs_of(chosen)
    assert len(chosen) == 32
    assert len(runs) == 8
    assert [run[0] for run in runs if run[0] in (0, 250)] == [0, 250]
    assert 15 < max(i for i in chosen if i < 250) < 40
    assert num_decoded(chosen, np.isin(np.arange(300), [0, 250])) == 48
    # All of a group within reach: the other runs start halfway.
    assert keyed(12, [0, 4, 8], strategy="bursts", num_frames=6, burst_length=1) == [
        *(0, 2),
        *(4, 6),
        *(8, 10),
    ]


def test_bursts_are_lengthened_where_they_are_too_few() -> None:
    assert keyed(50, [0, 47], strategy="bursts", num_frames=8, burst_length=4) == [
        *(0, 1, 2, 3, 4),
        *(47, 48, 49),
    ]
    assert keyed(30, [0], strategy="bursts") == list(range(30))
    assert len(keyed(33, [0, 32], strategy="bursts")) == 32


@given(
    num_frames=st.integers(1, 500),
    keys=st.sets(st.integers(0, 499), min_size=1),
    wanted=st.integers(1, 70),
    burst_length=st.integers(1, 10),
)
def test_bursts_are_as_many_as_asked_for_and_cheap(
    num_frames: int, keys: set[int], wanted: int, burst_length: int
) -> None:
    keys = {0, *(key % num_frames for key in keys)}
    chosen = keyed(
        num_frames,
        sorted(keys),
        strategy="bursts",
        num_frames=wanted,
        burst_length=burst_length,
    )
    assert len(chosen) == min(wanted, num_frames)
    is_key = np.isin(np.arange(num_frames), sorted(keys))
    assert num_decoded(chosen, is_key) <= max(1.5 * wanted, wanted + burst_length)


@pytest.mark.parametrize("strategy", ["keyframes", "bursts"])
@pytest.mark.parametrize("key_every", [1, 250, 200_000])
def test_a_film_is_sampled_in_a_moment(strategy: str, key_every: int) -> None:
    pts = np.arange(200_000) / 25
    is_key = np.arange(200_000) % key_every == 0
    started = time.process_time()
    for _ in range(5):
        indices(pts, end=8000.0, is_key=is_key, strategy=strategy)
    assert (time.process_time() - started) / 5 < 0.03


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
