"""Halve `val`: one half selects models, the other calibrates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepfake.types import Split

__all__ = ["halve_by_group"]

_MEDIUM = re.compile(r"media:[0-9a-f]{64}")


def halve_by_group(groups: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows are in the half that selects models, by a hash of their group.

    A group's half depends on its name alone, so it stays when the corpus grows. Corpus and split in
    the name are ignored: clips made from stills are in the same half as the stills.
    """
    halves = {group: _is_first(group) for group in set(groups)}
    return np.array([halves[group] for group in groups], dtype=np.bool_)


def _is_first(group: str) -> bool:
    found = _MEDIUM.search(group)
    key = found.group(0) if found else group.rpartition(f"/{Split.VAL}/")[2]
    return hashlib.sha256(f"val:{key}".encode()).digest()[0] % 2 == 0
