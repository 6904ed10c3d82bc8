"""Summarise timings: medians, sums over clips, ratios, confidence intervals."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.speed.arms import FLOORS
from benchmarks.speed.interleave import SEED
from benchmarks.speed.timer import Measured

__all__ = [
    "RATIOS",
    "TARGETS",
    "Cost",
    "Ratio",
    "RatioSpec",
    "Target",
    "ratio_of_sums",
    "sum_costs",
    "summarise",
]

_DRAWS = 2000
_MIN_CLIPS = 10
"""Fewer say nothing about clips in general; the same bound holds for accuracies."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an arm costs on one clip, or on several together.

    Attributes:
        cpu_seconds: Median of the runs.
        wall_seconds: Median of the runs.
        frames: Read.
        faces: Cropped; None where none are looked for.
    """

    cpu_seconds: float
    wall_seconds: float
    frames: int
    faces: int | None

    @property
    def frames_per_second(self) -> float:
        """Frames read in a second on the clock."""
        return self.frames / self.wall_seconds

    @property
    def faces_per_second(self) -> float | None:
        """Faces cropped in a second on the clock."""
        return None if self.faces is None else self.faces / self.wall_seconds


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums, with its 95 % interval by bootstrap over the clips.

    Attributes:
        value: Of the sums.
        low: 2.5 % of the draws lie below; None with too few clips to say.
        high: 2.5 % of the draws lie above; None with too few clips to say.
        num_clips: Summed over.
    """

    value: float
    low: float | None
    high: float | None
    num_clips: int


@dataclass(frozen=True, slots=True)
class RatioSpec:
    """A figure of the report: CPU seconds of one arm over those of another.

    Attributes:
        key: Its name in the results.
        over: The arm above the line.
        under: The arm below it.
        min_side: Only clips whose shorter side has so many pixels.
    """

    key: str
    over: str
    under: str
    min_side: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to be.

    Attributes:
        key: Its name in the results.
        title: For a reader.
        limit: The target; None for a figure that stands beside another.
        is_ceiling: Whether the figure has to stay under the limit.
    """

    key: str
    title: str
    limit: float | None
    is_ceiling: bool = True

    def is_met(self, value: float) -> bool | None:
        """Return whether a figure meets the target; None where there is none."""
        if self.limit is None:
            return None
        return value <= self.limit if self.is_ceiling else value >= self.limit


RATIOS = (
    RatioSpec("extract_uniform_over_floor", "extract_uniform", "floor"),
    RatioSpec("score_uniform_over_floor", "score_uniform", "floor"),
    RatioSpec("score_uniform_bf16_over_floor", "score_uniform_bf16", "floor"),
    RatioSpec("stock_over_ours_uniform", "stock", "score_uniform"),
    RatioSpec("stock_over_ours_bursts", "stock", "score_bursts"),
    RatioSpec("stock_over_ours_bursts_720p", "stock", "score_bursts", min_side=720),
)

TARGETS = (
    Target("extract_uniform_over_floor", "extraction, uniform, over the floor", 1.5),
    Target("score_uniform_over_floor", "scoring, uniform, over the floor", 2.0),
    Target("score_uniform_bf16_over_floor", "the same in bf16", 1.6),
    Target("stock_over_ours_uniform", "stock over ours, uniform", 5.0, is_ceiling=False),
    Target("stock_over_ours_bursts", "stock over ours, bursts", 10.0, is_ceiling=False),
    Target("stock_over_ours_bursts_720p", "the same, 720 lines and more", 15.0, is_ceiling=False),
    Target("detector_stock_over_ours_720p", "detection of a 720p frame", 15.0, is_ceiling=False),
    Target("detector_same_smallest_face_720p", "the same, same smallest face", None),
    Target("per_file_2000_over_20", "a file of 2,000 over one of 20", 1.1),
    # What networks and the allocator hold grows to the largest need and stays; a leak does not.
    Target("rss_growth_mb_20_to_2000", "memory gained meanwhile, MiB", 64.0),
    Target("long_clip_seconds", "a clip of two hours, seconds", 5.0),
    Target("long_clip_rss_mb", "the same, resident, MiB", 1.5e9 / 2**20),
)


def summarise(runs: Mapping[tuple[str, str], Sequence[Measured]]) -> dict[str, dict[str, Cost]]:
    """Return what each arm costs on each clip, `floor` among them: the cheaper plain reader.

    Args:
        runs: By (clip, arm).

    Returns:
        By clip, then by arm. Where one of the plain readers failed, the other is the floor.
    """
    costs: dict[str, dict[str, Cost]] = {}
    for (clip, arm), measured in runs.items():
        costs.setdefault(clip, {})[arm] = Cost(
            cpu_seconds=statistics.median(m.cpu_seconds for m in measured),
            wall_seconds=statistics.median(m.wall_seconds for m in measured),
            frames=measured[-1].work.frames,
            faces=measured[-1].work.faces,
        )
    for by_arm in costs.values():
        plain = [by_arm[name] for name in FLOORS if name in by_arm]
        if plain:
            by_arm["floor"] = min(plain, key=lambda cost: cost.cpu_seconds)
    return costs


def sum_costs(costs: Collection[Cost]) -> Cost:
    """Return several clips' costs together."""
    faces = [cost.faces for cost in costs if cost.faces is not None]
    return Cost(
        cpu_seconds=sum(cost.cpu_seconds for cost in costs),
        wall_seconds=sum(cost.wall_seconds for cost in costs),
        frames=sum(cost.frames for cost in costs),
        faces=sum(faces) if faces else None,
    )


def ratio_of_sums(over: Sequence[float], under: Sequence[float], *, seed: int = SEED) -> Ratio:
    """Return sum(over) / sum(under), clips drawn with replacement for the interval.

    Args:
        over: Seconds of each clip, one or more.
        under: Seconds of the same clips, positive.
        seed: Of the draws.

    Example:
        >>> ratio_of_sums([2.0, 4.0], [1.0, 2.0])
        Ratio(value=2.0, low=None, high=None, num_clips=2)
    """
    above, below = np.asarray(over, np.float64), np.asarray(under, np.float64)
    low = high = None
    if len(above) >= _MIN_CLIPS:
        drawn = np.random.default_rng(seed).integers(0, len(above), (_DRAWS, len(above)))
        ratios = above[drawn].sum(axis=1) / below[drawn].sum(axis=1)  # (draws,)
        low, high = np.quantile(ratios, [0.025, 0.975]).tolist()
    return Ratio(value=float(above.sum() / below.sum()), low=low, high=high, num_clips=len(above))
