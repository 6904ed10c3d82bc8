"""Cost is measured in turns, on the same crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from deepfake.errors import DataError
from deepfake.evaluation.promotion import compare_costs


@dataclass(frozen=True, eq=False)
class _Busy:
    """Stands for a detector that takes so many turns of a loop a face."""

    turns: int
    device: str = "cpu"

    def head_outputs(self, crops: Any) -> Any:
        for _ in range(self.turns * len(crops)):
            np.linalg.norm(np.ones(50))


def test_the_ratio_is_that_of_the_work() -> None:
    crops = [np.zeros((8, 8, 3), np.uint8)] * 10
    found = compare_costs(_Busy(200), _Busy(600), crops)
    assert found.ratio == pytest.approx(3.0, rel=0.35)
    assert found.second_ms > found.first_ms > 0
    assert (found.clock, found.num_inputs, found.rounds) == ("cpu", 10, 7)
    on_a_device = compare_costs(_Busy(1, "cuda"), _Busy(1, "cuda"), crops)
    assert on_a_device.clock == "wall"


def test_without_a_face_there_is_no_cost() -> None:
    with pytest.raises(DataError, match="there is none"):
        compare_costs(_Busy(1), _Busy(1), [])
