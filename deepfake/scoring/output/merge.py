"""Merge small parts: a folder that is scored as files arrive leaves one each time."""

from __future__ import annotations

import json
from collections import defaultdict

from deepfake.scoring.parts import Part, merge_parts, read_made_with
from deepfake.scoring.state.state import ScoringState
from deepfake.storage import Location

__all__ = ["merge_small_parts"]

_FEW = 64
"""So many small parts are left alone."""
_SMALL = 1000
"""Media that a part holds which is not small."""


def merge_small_parts(folder: Location, state: ScoringState) -> None:
    """Merge small parts that were made with the same versions and limits.

    The old ones stay until no table needs them; killed before that, the next run finds both, and
    what they say of a medium is the same.

    Args:
        folder: Of all parts of the state's version.
        state: Of a run.
    """
    # What this run scored stays apart until it has been reported.
    small = [part for part in state.small_parts(below=_SMALL) if part.run_number < state.run]
    if len(small) < _FEW:
        return
    alike: dict[str, list[Part]] = defaultdict(list)
    for part in small:
        alike[json.dumps(read_made_with(folder, part.key), sort_keys=True)].append(part)
    for made_with, parts in alike.items():
        if len(parts) > 1:
            state.commit(merge_parts(folder, parts, made_with=json.loads(made_with)))
