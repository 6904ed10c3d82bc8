"""Time 2,000 short files against 20, and one clip of two hours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from benchmarks.speed.arms import ArmName, ArmSetup
from benchmarks.speed.clips import Clip, spread_items
from benchmarks.speed.process_arm import IsolatedArm

__all__ = [
    "FEW",
    "LONG_SECONDS",
    "MANY",
    "choose_source",
    "peak_memory",
    "time_long_clip",
    "time_many_files",
]

FEW, MANY = 20, 2000
LONG_SECONDS = 7200.0
LONG_BYTES = 10**9

_ROUNDS = 10
"""The many are scored in so many parts; after each the few are scored once more."""
_FRAMES_A_FILE = 2
"""Of a half-second file: what grows with the files must not drown in what the frames cost."""
_LONG_REPEATS = 3

Tell = Callable[[str], None]


def time_many_files(
    folder: Path, *, setup: ArmSetup, many: int = MANY, few: int = FEW, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """Score many short files in one process, and a few of them over and over in another.

    Both processes are set up and warm before the clock runs; they take turns.

    Args:
        folder: Where the files are made; there has to be nothing in it.
        setup: The detector.
        many: Files that the one process scores, each once.
        few: Files that the other scores in each round, spread over the many.
        tell: Told what goes on.

    Returns:
        `per_file` (CPU time of a file among the many, over one among the few), `rss_growth_mb`
        (resident memory after the last file less that after the first `few`), and what they were
        made of.

    Raises:
        RuntimeError: A file has no score.
    """
    from benchmarks.speed.media import make_short_clips

    tell(f"making {many} short files")
    files = list(make_short_clips(folder, count=many))
    own = replace(setup, num_frames=_FRAMES_A_FILE, is_hashed=True)
    with (
        IsolatedArm("score_uniform", setup=own) as old,
        IsolatedArm("score_uniform", setup=own) as young,
    ):
        of_many, of_few = _take_turns(old, young, files, few=few, tell=tell)
    seconds_many = sum(run["cpu_seconds"] for run in of_many) / many
    seconds_few = sum(run["cpu_seconds"] for run in of_few) / (few * len(of_few))
    return {
        "per_file": seconds_many / seconds_few,
        "rss_growth_mb": of_many[-1]["rss_mb"] - of_many[0]["rss_mb"],
        "num_files": many,
        "num_few": few,
        "cpu_seconds_a_file_of_many": seconds_many,
        "cpu_seconds_a_file_of_few": seconds_few,
        "frames_a_file": sum(run["frames"] for run in of_many) / many,
        "faces_a_file": sum(run["faces"] for run in of_many) / many,
        "rss_mb_by_part": [run["rss_mb"] for run in of_many],
    }


def _take_turns(
    old: IsolatedArm, young: IsolatedArm, files: Sequence[Path], *, few: int, tell: Tell
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Return the parts of the many, the first of them `few` long, and the runs of the few."""
    sample = spread_items(files, count=few)
    rounds = min(_ROUNDS, len(files) // few)
    edges = [0, few, *(i * len(files) // rounds for i in range(1, rounds + 1))]
    old.run(sample)
    young.run(sample)
    of_many, of_few = [], []
    for number, (start, end) in enumerate(pairwise(edges), start=1):
        tell(f"short files, part {number} of {len(edges) - 1}")
        of_many.append(old.run(files[start:end]))
        of_few.append(young.run(sample))
    return of_many, of_few


def choose_source(clips: Sequence[Clip]) -> Clip | None:
    """Return the clip with the largest frames that, looped to two hours, stays within a gigabyte.

    None where every clip has too many bits a second.
    """
    fitting = [clip for clip in clips if _looped_bytes(clip) <= 0.95 * LONG_BYTES]
    return max(
        fitting, key=lambda clip: (clip.width * clip.height, _looped_bytes(clip)), default=None
    )


def _looped_bytes(clip: Clip) -> float:
    return clip.path.stat().st_size * LONG_SECONDS / clip.duration_seconds


def time_long_clip(
    folder: Path,
    *,
    source: Clip,
    setup: ArmSetup,
    seconds: float = LONG_SECONDS,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Score a clip of two hours in a fresh process that is set up, its digest included.

    Args:
        folder: Where the clip is made.
        source: The clip that is looped.
        setup: The detector.
        seconds: How long the clip is made.
        tell: Told what goes on.

    Returns:
        `seconds` (wall, the median of some runs), `rss_mb` (the highest resident memory), and what
        was read.

    Raises:
        RuntimeError: The clip has no score.
    """
    from benchmarks.speed.media import loop_clip

    tell(f"making a clip of {seconds / 3600:g} hours of {source.name}")
    target = folder / f"long{source.path.suffix}"
    loop_clip(source.path, target, seconds=seconds, max_bytes=LONG_BYTES)
    with IsolatedArm("score_bursts", setup=replace(setup, is_hashed=True)) as arm:
        arm.run([source.path])
        runs = []
        for number in range(_LONG_REPEATS):
            tell(f"the long clip, run {number + 1} of {_LONG_REPEATS}")
            runs.append(arm.run([target]))
    return {
        "seconds": statistics.median(run["wall_seconds"] for run in runs),
        "rss_mb": max(run["peak_rss_mb"] for run in runs),
        "cpu_seconds": statistics.median(run["cpu_seconds"] for run in runs),
        "size_bytes": target.stat().st_size,
        "duration_seconds": _duration_of(target),
        "frames": int(runs[0]["frames"]),
        "faces": int(runs[0]["faces"]),
        "source": source.name,
    }


def _duration_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration / av.time_base)


def peak_memory(name: ArmName, clip: Clip, *, setup: ArmSetup) -> float:
    """Return the highest resident memory of an arm on a clip in a process of its own, MiB.

    Raises:
        RuntimeError: The arm failed.
    """
    with IsolatedArm(name, setup=setup) as arm:
        return arm.run([clip.path], is_planned=True)["peak_rss_mb"]
