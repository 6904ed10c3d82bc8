"""Mismatches made of real files: other sound beside the same lips.

Windows are embedded once, and only their pairs change: no picture and no sound is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from deepfake.detectors.sync.windows import MAX_OFFSET
from deepfake.evaluation.sync.predict import SpokenFile

__all__ = [
    "MISMATCHES",
    "foreign_sound",
    "half_replaced",
    "iter_mismatches",
    "later_sound",
    "mean_at",
    "other_file",
]

Similarities = list[NDArray[np.float32]]

MISMATCHES = ("foreign", "shifted", "half")
"""Sound of another file; sound of the same file moved by more than is searched; the second half of
each run with sound of another file."""


def foreign_sound(file: SpokenFile, other: SpokenFile) -> Similarities | None:
    """Return a file's runs beside those of another file; None where that has no sound there."""
    found = [
        run.similarities(other.runs[number % len(other.runs)])
        for number, run in enumerate(file.runs)
    ]
    return found if _is_usable(found) else None


def later_sound(file: SpokenFile) -> Similarities | None:
    """Return a file's runs beside the sound of its next one; None of a file with one run.

    Runs that begin within the largest offset of one another would still match.
    """
    num = len(file.runs)
    nearest = 2 * MAX_OFFSET / 25
    starts = file.pts_seconds
    if num < 2 or any(abs(starts[n] - starts[(n + 1) % num]) < nearest for n in range(num)):
        return None
    found = [run.similarities(file.runs[(n + 1) % num]) for n, run in enumerate(file.runs)]
    return found if _is_usable(found) else None


def half_replaced(file: SpokenFile, other: SpokenFile) -> Similarities | None:
    """Return a file's runs, the second half of each beside the sound of another file."""
    foreign = foreign_sound(file, other)
    if foreign is None:
        return None
    found = []
    for own, replaced in zip(file.similarities, foreign, strict=True):
        num, middle = len(replaced), len(replaced) // 2
        found.append(np.concatenate([own[:middle], replaced[middle:num]]))
    return found if _is_usable(found) else None


def _is_usable(found: Sequence[NDArray[np.float32]]) -> bool:
    return all(len(run) and np.isfinite(run).any() for run in found)


def other_file(
    files: Sequence[SpokenFile], at: int, *, same_identity: bool | None = None
) -> SpokenFile | None:
    """Return the next file, cyclically, that is of another group, or None.

    Args:
        files: Of a corpus.
        at: Which one another is looked for.
        same_identity: Whether it has to be of the same person, or of another one; None for either.
    """
    own = files[at]
    for candidate in chain(files[at + 1 :], files[:at]):
        if candidate.row["media_id"] == own.row["media_id"]:
            continue
        identities = (own.row["identity"], candidate.row["identity"])
        is_known = all(isinstance(one, str) for one in identities)
        if same_identity is None or (
            is_known and (identities[0] == identities[1]) == same_identity
        ):
            return candidate
    return None


def iter_mismatches(
    files: Sequence[SpokenFile],
) -> Iterator[tuple[SpokenFile, str, Similarities]]:
    """Yield for each file its mismatches: the file, one of `MISMATCHES`, similarities."""
    for at, file in enumerate(files):
        other = other_file(files, at)
        made = {
            "foreign": None if other is None else foreign_sound(file, other),
            "shifted": later_sound(file),
            "half": None if other is None else half_replaced(file, other),
        }
        for name, similarities in made.items():
            if similarities is not None:
                yield file, name, similarities


def mean_at(similarities: Sequence[NDArray[np.float32]], offset: int) -> float:
    """Return the mean cosine at one offset, in mouths; NaN where there is no sound."""
    column = np.concatenate([run[:, MAX_OFFSET + offset] for run in similarities])
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else float("nan")
