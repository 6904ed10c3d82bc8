"""Collect what a benchmark run measured, and turn it into the JSON results."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from benchmarks.speed.arms import ARMS
from benchmarks.speed.clips import NUM_FRAMES, Clip
from benchmarks.speed.face_detectors import DETECTORS, FrameTimes
from benchmarks.speed.figures import (
    RATIOS,
    TARGETS,
    Cost,
    Ratio,
    RatioSpec,
    ratio_of_sums,
    sum_costs,
)
from benchmarks.speed.interleave import SEED
from deepfake import __version__

__all__ = ["REPORTED_ARMS", "Findings", "to_results"]

REPORTED_ARMS = ("floor", *ARMS)

_DETECTOR_RATIOS = {
    "detector_stock_over_ours_720p": "stock",
    "detector_same_smallest_face_720p": "stock_same_smallest_face",
}
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^/\s'\"]+/)+")
"""In messages of libraries; what is written down names no folder of this machine."""

_PACKAGES = (
    ("av", "av"),
    ("decord", "decord"),
    ("opencv", "opencv-python"),
    ("openvino", "openvino"),
    ("torch", "torch"),
    ("timm", "timm"),
    ("facenet_pytorch", "facenet-pytorch"),
    ("numpy", "numpy"),
)


@dataclass(slots=True)
class Findings:
    """What has been measured so far; each part adds its own.

    Attributes:
        clips: Those that were timed.
        repeats: Of the arms that are repeated.
        costs: By clip, by arm.
        detection: A row a frame.
        many_files: From `time_many_files`.
        long_clip: From `time_long_clip`.
        peak_rss_mb: By arm.
        notes: Why something has no figure, by what it is.
        run_seconds: How long the measuring took.
    """

    clips: Sequence[Clip]
    repeats: int
    costs: Mapping[str, Mapping[str, Cost]] = field(default_factory=dict)
    detection: Sequence[FrameTimes] = ()
    many_files: Mapping[str, Any] = field(default_factory=dict)
    long_clip: Mapping[str, Any] = field(default_factory=dict)
    peak_rss_mb: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    run_seconds: float = 0.0

    def total(self, arm: str) -> tuple[Cost, int] | None:
        """Return what an arm costs over all clips that it has figures of, and their number."""
        found = [by_arm[arm] for by_arm in self.costs.values() if arm in by_arm]
        return (sum_costs(found), len(found)) if found else None

    def ratio(self, spec: RatioSpec) -> Ratio | None:
        """Return a ratio over the clips of which both arms have figures; None where none has."""
        pairs = [
            (by_arm[spec.over].cpu_seconds, by_arm[spec.under].cpu_seconds)
            for clip in self.clips
            if clip.shorter_side >= spec.min_side
            and {spec.over, spec.under} <= (by_arm := self.costs.get(clip.name, {})).keys()
        ]
        return ratio_of_sums(*zip(*pairs, strict=True)) if pairs else None

    def detector_ratio(self, detector: str) -> Ratio | None:
        """Return the CPU time of a detector over ours, summed over frames, drawn by clip."""
        names = list(dict.fromkeys(times.clip for times in self.detection))
        if not names:
            return None
        sums = {
            which: [
                sum(t.cpu_seconds[which] for t in self.detection if t.clip == name)
                for name in names
            ]
            for which in (detector, "ours")
        }
        return ratio_of_sums(sums[detector], sums["ours"])


def to_results(findings: Findings) -> dict[str, Any]:
    """Return the object that is written: a figure for every target, null where there is none."""
    ratios: dict[str, Ratio | None] = {spec.key: findings.ratio(spec) for spec in RATIOS}
    ratios |= {k: findings.detector_ratio(v) for k, v in _DETECTOR_RATIOS.items()}
    figures: dict[str, float | None] = {k: r.value if r else None for k, r in ratios.items()}
    figures["per_file_2000_over_20"] = findings.many_files.get("per_file")
    figures["rss_growth_mb_20_to_2000"] = findings.many_files.get("rss_growth_mb")
    figures["long_clip_seconds"] = findings.long_clip.get("seconds")
    figures["long_clip_rss_mb"] = findings.long_clip.get("rss_mb")
    figures = {target.key: figures[target.key] for target in TARGETS}
    notes = {**findings.notes, **_reasons(figures, findings)}
    notes = {what: _FOLDERS.sub("", reason) for what, reason in notes.items()}
    results: dict[str, Any] = _rounded(
        {
            **figures,
            "notes": notes,
            "intervals": {k: asdict(r) if r else None for k, r in ratios.items()},
            "arms": {arm: _arm_row(findings, arm) for arm in REPORTED_ARMS},
            "clips": [
                _clip_row(clip, findings.costs.get(clip.name, {})) for clip in findings.clips
            ],
            "detection": _detection_row(findings.detection),
            "many_files": dict(findings.many_files) or None,
            "long_clip": dict(findings.long_clip) or None,
            "peak_rss_mb": findings.peak_rss_mb,
            "machine": _machine(),
            "settings": {"num_frames": NUM_FRAMES, "threads": 1, "seed": SEED},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "repeats": findings.repeats,
            "run_seconds": findings.run_seconds,
            "num_clips": len(findings.clips),
        }
    )
    return results


def _reasons(figures: Mapping[str, float | None], findings: Findings) -> dict[str, str]:
    """Return a sentence for each figure that could not be had."""
    specs = {spec.key: spec for spec in RATIOS}
    reasons = {}
    for key in (k for k, value in figures.items() if value is None):
        spec = specs.get(key)
        needed = (spec.over, spec.under) if spec else (_PART_OF[key],)
        lacking = [name for name in needed if findings.total(name) is None]
        known = [findings.notes[name] for name in lacking if name in findings.notes]
        if known:
            reasons[key] = "; ".join(known)
        elif spec and not lacking:
            reasons[key] = f"no clip of {spec.min_side} lines or more was measured"
        else:
            reasons[key] = f"not measured: {' and '.join(lacking)}"
    return reasons


_PART_OF = {
    **dict.fromkeys(_DETECTOR_RATIOS, "detector"),
    "per_file_2000_over_20": "many",
    "rss_growth_mb_20_to_2000": "many",
    "long_clip_seconds": "long",
    "long_clip_rss_mb": "long",
}


def _arm_row(findings: Findings, arm: str) -> dict[str, Any] | None:
    found = findings.total(arm)
    if found is None:
        return None
    total, num_clips = found
    over_floor = findings.ratio(RatioSpec(arm, arm, "floor"))
    return {
        "num_clips": num_clips,
        "cpu_seconds_a_clip": total.cpu_seconds / num_clips,
        "wall_seconds_a_clip": total.wall_seconds / num_clips,
        "frames_per_second": total.frames_per_second,
        "faces_per_second": total.faces_per_second,
        "over_floor": over_floor.value if over_floor else None,
    }


def _clip_row(clip: Clip, costs: Mapping[str, Cost]) -> dict[str, Any]:
    return {
        "name": clip.name,
        "width": clip.width,
        "height": clip.height,
        "num_frames": clip.num_frames,
        "duration_seconds": clip.duration_seconds,
        "arms": {
            arm: {
                **asdict(costs[arm]),
                "frames_per_second": costs[arm].frames_per_second,
                "faces_per_second": costs[arm].faces_per_second,
            }
            for arm in REPORTED_ARMS
            if arm in costs
        },
    }


def _detection_row(times: Sequence[FrameTimes]) -> dict[str, Any] | None:
    if not times:
        return None
    return {
        "num_frames": len(times),
        "num_clips": len({t.clip for t in times}),
        "cpu_seconds_a_frame": {
            name: sum(t.cpu_seconds[name] for t in times) / len(times) for name in DETECTORS
        },
        "num_faces": {name: sum(t.num_faces[name] for t in times) for name in DETECTORS},
    }


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": psutil.virtual_memory().total / 2**30,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "deepfake": __version__,
        **{name: _version(package) for name, package in _PACKAGES},
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return named[0] if named else platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _rounded(value: Any) -> Any:
    """Return the object with its numbers at six significant digits: no clock is better."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return value
