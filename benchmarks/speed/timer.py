"""Measure CPU time, wall time and memory of a piece of work."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Measured", "Work", "measure", "peak_rss_mb", "reset_peak_rss", "rss_mb"]

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"
"""Linux, proc(5): sets the peak of the resident memory back to what is resident now."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run looked at.

    Attributes:
        frames: Frames read.
        faces: Faces cropped; None where none are looked for.
    """

    frames: int
    faces: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run cost.

    Attributes:
        cpu_seconds: Of all threads of the process and of its finished children.
        wall_seconds: On the clock.
        work: What it looked at.
    """

    cpu_seconds: float
    wall_seconds: float
    work: Work


def measure(function: Callable[[], Work]) -> Measured:
    """Run a function once and return what it cost.

    Garbage of earlier runs is collected first, so that it is not charged to this one.
    """
    gc.collect()
    cpu, wall = _cpu_seconds(), time.perf_counter()
    work = function()
    return Measured(
        cpu_seconds=_cpu_seconds() - cpu,
        wall_seconds=time.perf_counter() - wall,
        work=work,
    )


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def rss_mb() -> float:
    """Return the resident memory of this process, MiB."""
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def reset_peak_rss() -> bool:
    """Let `peak_rss_mb` start anew; False where the system offers no such thing."""
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def peak_rss_mb() -> float:
    """Return the highest resident memory since the last reset, or since the start, MiB."""
    try:
        lines = (_PROCESS / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 2**10
