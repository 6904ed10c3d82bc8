"""Count media into the bins of a reference, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deepfake.scoring.drift.reference import Reference

__all__ = ["Counts"]


class Counts:
    """How many media lie in each bin of a reference; takes no more memory for more media.

    Args:
        reference: Whose bins.
    """

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._counts = {
            (kind, name): np.zeros(histogram.num_bins, dtype=np.int64)
            for kind, features in reference.features.items()
            for name, histogram in features.items()
        }

    def add(self, kind: str, values: Mapping[str, NDArray[np.float64]]) -> None:
        """Count media of one kind.

        Args:
            kind: Of all of them.
            values: By feature, a value a medium; NaN where it is not known. Features that the
                reference does not have are left out.
        """
        own = self.reference.features.get(kind, {})
        for name, column in values.items():
            if name in own:
                self._counts[kind, name] += own[name].count(column)

    def of(self, kind: str, name: str) -> NDArray[np.int64]:
        """Return media a bin, shape (B,)."""
        return self._counts[kind, name].copy()
