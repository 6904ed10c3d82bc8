"""The arms of the comparison: each takes a clip and does one kind of work on it.

An arm's libraries are imported when it is created, so that a process of one arm holds no others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from benchmarks.speed.clips import NUM_FRAMES, Clip
from benchmarks.speed.timer import Work

__all__ = ["ARMS", "FLOORS", "MEASURED_ONCE", "PARTS", "Arm", "ArmName", "ArmSetup", "create_arm"]

ArmName = Literal[
    "floor_pyav",
    "floor_decord",
    "ours_decode",
    "stock",
    "extract_uniform",
    "extract_keyframes",
    "extract_bursts",
    "score_uniform",
    "score_keyframes",
    "score_bursts",
    "score_uniform_bf16",
    "score_bursts_bf16",
]
ARMS: tuple[ArmName, ...] = get_args(ArmName)
"""All arms, as they stand in the report."""

PARTS = (*ARMS, "memory", "detector", "many", "long")
"""All that can be asked for: the arms, and what is measured apart from them."""

FLOORS: tuple[ArmName, ...] = ("floor_pyav", "floor_decord")
"""The cheaper of these, clip by clip, is the floor."""

MEASURED_ONCE: frozenset[ArmName] = frozenset(
    {
        "stock",
        "ours_decode",
        "extract_keyframes",
        "extract_bursts",
        "score_keyframes",
        "score_bursts_bf16",
    }
)
"""The first takes a quarter of the whole run, and on the others no target rests."""

Arm = Callable[[Clip], Work]

_READERS = frozenset({"floor_pyav", "floor_decord", "ours_decode"})


@dataclass(frozen=True, slots=True)
class ArmSetup:
    """What an arm is made of.

    Attributes:
        bundle: The detector's folder.
        cache: Where compiled networks may be kept.
        num_frames: Sampled of each clip.
        is_hashed: Whether the digest of the file's bytes is part of the work.
    """

    bundle: Path
    cache: Path
    num_frames: int = NUM_FRAMES
    is_hashed: bool = False


def create_arm(name: ArmName, setup: ArmSetup) -> Arm:
    """Set up an arm: what it loads and builds here is start-up and is not timed.

    Raises:
        RuntimeError: This machine cannot run it; the message says why.
    """
    if name in _READERS:
        from benchmarks.speed.reader_arms import create_reader

        return create_reader(name)
    if name == "stock":
        from benchmarks.speed.stock_arm import StockPath

        return StockPath(setup.bundle).run
    from benchmarks.speed.pipeline_arms import create_ours

    return create_ours(name, setup)
