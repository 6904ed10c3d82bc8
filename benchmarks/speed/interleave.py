"""Run the arms in turns on each clip, so that a slow moment of the machine slows all of them."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.speed.arms import MEASURED_ONCE, Arm
from benchmarks.speed.clips import Clip
from benchmarks.speed.timer import Measured, measure

__all__ = ["SEED", "Timings", "plan_turns", "time_arms"]

SEED = 0
"""Of the order of the arms and of every draw."""


@dataclass(frozen=True, slots=True)
class Timings:
    """All runs, and what could not be run.

    Attributes:
        runs: What each arm cost on each clip, by (clip, arm), a `Measured` a repeat.
        failures: Why an arm has no figure on a clip, by `arm: clip`.
    """

    runs: dict[tuple[str, str], list[Measured]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def plan_turns(arms: Sequence[str], *, repeats: int, seed: str) -> list[str]:
    """Return each arm as often as it is run on one clip, shuffled.

    Example:
        >>> sorted(plan_turns(["stock", "ours"], repeats=2, seed="a"))
        ['ours', 'ours', 'stock']
    """
    turns = [arm for arm in arms for _ in range(1 if arm in MEASURED_ONCE else repeats)]
    random.Random(seed).shuffle(turns)
    return turns


def time_arms(
    arms: Mapping[str, Arm],
    clips: Sequence[Clip],
    *,
    repeats: int,
    on_run: Callable[[str, str], None] = lambda *_: None,
) -> Timings:
    """Run every arm on every clip.

    Each arm first runs once on the smallest clip, which is not counted.

    Args:
        arms: By name, set up.
        clips: Planned.
        repeats: Of each arm on each clip, except for those that are measured once.
        on_run: Called with the arm and the clip before each run.
    """
    timings = Timings()
    smallest = min(clips, key=lambda clip: clip.width * clip.height * clip.num_frames)
    for name, arm in arms.items():
        on_run(f"{name} (warm-up)", smallest.name)
        _run(arm, smallest)
    with _settled_heap():
        for clip in clips:
            for name in plan_turns(list(arms), repeats=repeats, seed=f"{SEED} {clip.name}"):
                on_run(name, clip.name)
                measured = _run(arms[name], clip)
                if isinstance(measured, Measured):
                    timings.runs.setdefault((clip.name, name), []).append(measured)
                else:
                    timings.failures[f"{name}: {clip.name}"] = measured
    return timings


@contextmanager
def _settled_heap() -> Iterator[None]:
    """Keep what is there by now out of garbage collection.

    A process that holds the libraries of all arms takes 0.2 s to go through them, and would
    charge that to whichever arm is running.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _run(arm: Arm, clip: Clip) -> Measured | str:
    try:
        return measure(lambda: arm(clip))
    except Exception as error:
        # Whatever a library raises on one clip, the others are still measured; the report says it.
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
