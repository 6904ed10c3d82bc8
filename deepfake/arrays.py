"""Names of arrays that most packages exchange."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "Pixels"]

FloatArray = NDArray[np.float64]

Pixels = NDArray[np.uint8]
"""A picture, or several."""
