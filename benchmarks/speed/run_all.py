"""Run all parts of the benchmark in order."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.arms import ARMS, PARTS, Arm, ArmName, ArmSetup, create_arm
from benchmarks.speed.clips import Clip
from benchmarks.speed.face_detectors import time_detectors
from benchmarks.speed.figures import summarise
from benchmarks.speed.interleave import time_arms
from benchmarks.speed.results import Findings
from benchmarks.speed.scale import choose_source, peak_memory, time_long_clip, time_many_files
from benchmarks.speed.untrained_detector import write_detector
from deepfake.errors import DeepfakeError
from deepfake.extract.extractor import limit_threads

__all__ = ["Options", "run_benchmark"]

_DETECTOR_LINES = 720

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to run.

    Attributes:
        clips: Planned.
        parts: Of `PARTS`.
        repeats: Of each arm on each clip, but for those that are timed once.
        detector: A bundle; None for EfficientNet-Lite0 with ImageNet's weights.
    """

    clips: Sequence[Clip]
    parts: Collection[str] = PARTS
    repeats: int = 2
    detector: Path | None = None


def run_benchmark(options: Options, *, tell: Tell = lambda _: None) -> Findings:
    """Measure everything asked for.

    Args:
        options: What to run.
        tell: Told what goes on, a line each.

    Raises:
        DeepfakeError: The detector cannot be had.
    """
    limit_threads()
    started = time.monotonic()
    findings = Findings(clips=options.clips, repeats=options.repeats)
    with tempfile.TemporaryDirectory(prefix="deepfake-bench-") as name:
        scratch = Path(name)
        bundle = options.detector or write_detector(scratch / "detector")
        setup = ArmSetup(bundle=bundle, cache=scratch / "engines")
        names = [arm for arm in ARMS if arm in options.parts]
        _run_arms(names, findings, setup=setup, tell=tell)
        parts = {
            "memory": lambda: _run_memory(names, findings, setup=setup, tell=tell),
            "detector": lambda: _run_detectors(findings, tell=tell),
            "many": lambda: _run_many(findings, scratch / "many", setup=setup, tell=tell),
            "long": lambda: _run_long(findings, scratch, setup=setup, tell=tell),
        }
        for part, run in parts.items():
            if part in options.parts:
                _run_part(part, run, findings=findings)
    findings.run_seconds = time.monotonic() - started
    return findings


def _run_part(part: str, run: Callable[[], None], *, findings: Findings) -> None:
    # One part that cannot be had leaves the others standing, and says why it is not there.
    try:
        run()
    except (DeepfakeError, RuntimeError, OSError, ImportError, ValueError) as error:
        findings.notes[part] = f"{type(error).__name__}: {error}"


def _run_arms(names: Sequence[ArmName], findings: Findings, *, setup: ArmSetup, tell: Tell) -> None:
    arms: dict[str, Arm] = {}
    for name in names:
        tell(f"setting up {name}")
        try:
            arms[name] = create_arm(name, setup)
        except (DeepfakeError, RuntimeError, OSError, ImportError) as error:
            findings.notes[name] = str(error)
    order = {clip.name: number for number, clip in enumerate(findings.clips, start=1)}
    timings = time_arms(
        arms,
        findings.clips,
        repeats=findings.repeats,
        on_run=lambda arm, clip: tell(f"clip {order[clip]} of {len(order)}, {arm}: {clip}"),
    )
    findings.costs = summarise(timings.runs)
    findings.notes.update(timings.failures)


def _run_memory(
    names: Sequence[ArmName], findings: Findings, *, setup: ArmSetup, tell: Tell
) -> None:
    largest = max(findings.clips, key=lambda clip: (clip.width * clip.height, clip.num_frames))
    for name in names:
        if findings.total(name) is None:
            continue
        tell(f"peak memory of {name}: {largest.name}")
        try:
            findings.peak_rss_mb[name] = peak_memory(name, largest, setup=setup)
        except RuntimeError as error:
            findings.notes[f"memory of {name}"] = str(error)


def _run_detectors(findings: Findings, *, tell: Tell) -> None:
    clips = [clip for clip in findings.clips if clip.shorter_side == _DETECTOR_LINES]
    if not clips:
        raise RuntimeError(f"no clip has {_DETECTOR_LINES} lines")
    findings.detection = time_detectors(clips, on_clip=lambda n: tell(f"detection alone: {n}"))


def _run_many(findings: Findings, folder: Path, *, setup: ArmSetup, tell: Tell) -> None:
    folder.mkdir()
    findings.many_files = time_many_files(folder, setup=setup, tell=tell)


def _run_long(findings: Findings, folder: Path, *, setup: ArmSetup, tell: Tell) -> None:
    source = choose_source(findings.clips)
    if source is None:
        raise RuntimeError("every clip has more bits a second than two hours in a gigabyte allow")
    findings.long_clip = time_long_clip(folder, source=source, setup=setup, tell=tell)
