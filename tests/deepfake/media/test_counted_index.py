"""Frames without usable times get those of the frame rate."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from deepfake.media.packets import counted_index


@pytest.mark.parametrize(
    ("average", "guessed", "expected"),
    [
        (Fraction(30), None, Fraction(1, 30)),
        (None, Fraction(24000, 1001), Fraction(1001, 24000)),
        (None, None, Fraction(1, 25)),
    ],
)
def test_the_unit_of_time_is_a_fraction_also_where_no_rate_is_known(
    average: Fraction | None, guessed: Fraction | None, expected: Fraction
) -> None:
    stream = SimpleNamespace(
        time_base=Fraction(1, 90_000), average_rate=average, guessed_rate=guessed
    )
    index = counted_index([None, None, None], stream=stream)
    # A float has no `limit_denominator`: the rate of the video is computed with it.
    assert isinstance(index.time_base, Fraction)
    assert index.time_base == expected
    assert index.pts.tolist() == [0, 1, 2]
