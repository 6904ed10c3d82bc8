"""Choose the moments of a file at which lips are compared with sound, from its speech alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepfake.config import MouthConfig

__all__ = ["Spans", "choose_runs", "seconds_within"]

Spans = Sequence[tuple[float, float]]
"""Begin and end of each stretch of speech, seconds, ascending, none overlapping."""

_STEP_SECONDS = 0.1
"""Distance of the places that are tried."""
_MIN_SPEECH_SHARE = 0.25
"""Of a run that is worth looking at."""


def choose_runs(
    speech: Spans, *, begin_seconds: float, end_seconds: float, config: MouthConfig
) -> list[tuple[float, float]]:
    """Return begin and end of runs that hold much speech, the ones to try first before others.

    The file is divided into as many equal parts as there are to be runs; of each part the place
    with the most speech comes first. Behind these stand others that overlap none of them, for
    where no face is seen. Runs keep `lead_seconds` from both ends as far as the file is long
    enough; they are shortened for it, but not below `min_run_seconds`.

    Args:
        speech: Where in the file there is speech.
        begin_seconds: From here on there are both pictures and sound.
        end_seconds: Up to here.
        config: How many runs, and how long.

    Returns:
        At most twice `max_runs`; none where the file is too short or nobody speaks.

    Example:
        >>> config = MouthConfig(max_runs=1)
        >>> choose_runs([(2.0, 4.5)], begin_seconds=0.0, end_seconds=9.0, config=config)
        [(2.0, 4.0), (4.0, 6.0)]
    """
    whole = end_seconds - begin_seconds
    if whole < config.min_run_seconds:
        return []
    length = min(
        max(whole - 2 * config.lead_seconds, config.min_run_seconds), config.run_seconds, whole
    )
    lead = min(config.lead_seconds, (whole - length) / 2)
    first, last = begin_seconds + lead, end_seconds - lead - length
    starts = np.round(np.append(np.arange(first, last, _STEP_SECONDS), max(first, last)), 9)
    amounts = np.array([seconds_within(speech, begin=t, end=t + length) for t in starts.tolist()])
    chosen = _best_of_parts(starts, amounts, length=length, num_parts=config.max_runs)
    chosen = _with_others(chosen, starts, amounts, length=length, most=2 * config.max_runs)
    return [(t, t + length) for t in chosen]


def seconds_within(speech: Spans, *, begin: float, end: float) -> float:
    """Return how much speech lies between two times, seconds."""
    return sum(max(0.0, min(end, b) - max(begin, a)) for a, b in speech)


def _best_of_parts(
    starts: NDArray[np.float64], amounts: NDArray[np.float64], *, length: float, num_parts: int
) -> list[float]:
    """Return of each part the start of the run with the most speech, the most speech first."""
    span = float(starts[-1] - starts[0]) + length
    num_parts = max(1, min(num_parts, int(span / length + 1e-9)))
    part = span / num_parts
    found: list[tuple[float, float]] = []
    for number in range(num_parts):
        low = float(starts[0]) + number * part
        at = np.flatnonzero((starts >= low - 1e-6) & (starts <= low + part - length + 1e-6))
        if at.size:
            best = int(at[np.argmax(np.round(amounts[at], 6))])
            found.append((-float(amounts[best]), float(starts[best])))
    return [start for amount, start in sorted(found) if -amount >= _MIN_SPEECH_SHARE * length]


def _with_others(
    chosen: Sequence[float],
    starts: NDArray[np.float64],
    amounts: NDArray[np.float64],
    *,
    length: float,
    most: int,
) -> list[float]:
    """Return the chosen starts, and behind them others with speech that overlap none."""
    found = list(chosen)
    for at in np.argsort(-np.round(amounts, 6), kind="stable").tolist():
        if len(found) >= most or amounts[at] < _MIN_SPEECH_SHARE * length:
            break
        if all(abs(float(starts[at]) - other) >= length - 1e-6 for other in found):
            found.append(float(starts[at]))
    return found
