"""Which moments of a file are looked at."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake.config import MouthConfig
from deepfake.extract.lips.choose_runs import choose_runs, seconds_within

CONFIG = MouthConfig(max_runs=3)


def _choose(*speech: tuple[float, float], end: float) -> list[tuple[float, float]]:
    return choose_runs(speech, begin_seconds=0.0, end_seconds=end, config=CONFIG)


def test_runs_are_spread_over_a_file_that_is_all_speech() -> None:
    first = sorted(_choose((0.0, 30.0), end=30.0)[:3])
    assert first[0][0] == pytest.approx(0.6)
    assert all(b[0] - a[1] > 5.0 for a, b in itertools.pairwise(first))


def test_where_nobody_speaks_nothing_is_chosen() -> None:
    assert _choose(end=30.0) == []
    assert _choose((3.0, 3.3), end=30.0) == []
    found = _choose((20.0, 22.0), end=30.0)
    assert found[0] == pytest.approx((20.0, 22.0))
    assert all(begin < 22.0 and end > 20.0 for begin, end in found)


def test_a_short_file_gives_a_shorter_run_and_keeps_its_ends() -> None:
    assert _choose((0.0, 3.0), end=3.0) == [pytest.approx((0.6, 2.4))]
    assert _choose((0.0, 2.0), end=2.0) == [pytest.approx((0.25, 1.75))]
    assert _choose((0.0, 1.4), end=1.4) == []


@given(
    speech=st.lists(st.tuples(st.floats(0, 40), st.floats(0.1, 5)), max_size=6),
    begin=st.floats(0, 5),
    length=st.floats(0, 60),
)
def test_runs_lie_in_the_file_and_apart(
    speech: list[tuple[float, float]], begin: float, length: float
) -> None:
    spans: list[tuple[float, float]] = []
    for gap, seconds in speech:
        start = (spans[-1][1] if spans else 0.0) + gap
        spans.append((start, start + seconds))
    found = choose_runs(spans, begin_seconds=begin, end_seconds=begin + length, config=CONFIG)
    assert len(found) <= 2 * CONFIG.max_runs
    for first, last in found:
        assert begin - 1e-6 <= first and last <= begin + length + 1e-6
        assert CONFIG.min_run_seconds - 1e-6 <= last - first <= CONFIG.run_seconds + 1e-6
        assert seconds_within(spans, begin=first, end=last) > 0
    ordered = sorted(found)
    assert all(a[1] <= b[0] + 1e-5 for a, b in itertools.pairwise(ordered))
