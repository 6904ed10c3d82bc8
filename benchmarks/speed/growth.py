"""Plot what scoring costs against the length of a clip and the number of files.

python -m benchmarks.speed.growth FOLDER --output docs/images/cost.png
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import RESULTS
from benchmarks.speed.arms import ArmName, ArmSetup, create_arm
from benchmarks.speed.clips import Clip, find_clips, plan_clip
from benchmarks.speed.media import loop_clip, make_short_clips
from benchmarks.speed.scale import choose_source
from benchmarks.speed.untrained_detector import write_detector

__all__ = ["draw", "main", "time_counts", "time_lengths"]

SECONDS = (10, 60, 600, 3600, 7200)
COUNTS = (10, 30, 100, 300, 1000)
ARMS: tuple[ArmName, ...] = ("floor_pyav", "score_uniform", "score_bursts", "score_keyframes")
_LABELS = {
    "floor_pyav": "decoding alone, 32 frames evenly spread",
    "score_uniform": "scored, uniform",
    "score_bursts": "scored, bursts",
    "score_keyframes": "scored, key frames",
}
_MAX_BYTES = 10**9

Points = dict[str, list[tuple[float, float]]]


def time_lengths(source: Clip, *, setup: ArmSetup, folder: Path) -> Points:
    """Return, for each arm, seconds of a clip against CPU seconds."""
    points: Points = {name: [] for name in ARMS}
    arms = {name: create_arm(name, setup) for name in ARMS}
    for arm in arms.values():
        arm(source)
    for seconds in SECONDS:
        path = folder / f"{seconds}{source.path.suffix}"
        loop_clip(source.path, path, seconds=seconds, max_bytes=_MAX_BYTES)
        clip = plan_clip(path, name=path.name)
        for name, arm in arms.items():
            started = time.process_time()
            arm(clip)
            points[name].append((clip.duration_seconds, time.process_time() - started))
        path.unlink()
    return points


def time_counts(*, setup: ArmSetup, folder: Path) -> list[tuple[float, float]]:
    """Return a number of half-second files against the CPU seconds of all of them."""
    files = list(make_short_clips(folder, count=COUNTS[-1]))
    arm = create_arm("score_uniform", setup)
    arm(plan_clip(files[0], name="warm-up"))
    return list(_cumulated(files, arm=arm))


def _cumulated(files: Sequence[Path], *, arm: object) -> Iterator[tuple[float, float]]:
    spent = 0.0
    for number, path in enumerate(files, start=1):
        clip = Clip(path, path.name)
        started = time.process_time()
        arm(clip)  # type: ignore[operator]
        spent += time.process_time() - started
        if number in COUNTS:
            yield float(number), spent


def draw(lengths: Points, counts: Sequence[tuple[float, float]], path: Path) -> None:
    """Draw both as one figure."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, points in lengths.items():
        left.plot(*zip(*points, strict=True), marker="o", label=_LABELS[name])
    left.set(xscale="log", yscale="log", xlabel="length of the clip, s", ylabel="CPU s")
    left.set_title("one clip, 32 frames")
    left.legend(frameon=False, fontsize="small")
    right.plot(*zip(*counts, strict=True), marker="o")
    right.set(xscale="log", yscale="log", xlabel="half-second files", ylabel="CPU s")
    right.set_title("many files, 32 frames at most")
    for axes in (left, right):
        axes.grid(visible=True, which="major", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(
    folder: Annotated[Path, typer.Argument(help="Videos; one of them is looped.")] = Path(
        "../shared/data/videos"
    ),
    output: Annotated[Path, typer.Option(help="The figure.")] = Path("docs/images/cost.png"),
) -> None:
    """Measure, draw, and write the numbers to `benchmarks/results/growth.json`."""
    clips, _ = find_clips(folder)
    source = choose_source(clips)
    if source is None:
        raise typer.BadParameter(f"no clip in {folder} fits into a gigabyte when looped")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        bundle = write_detector(place / "detector")
        setup = ArmSetup(bundle, cache=place / "cache")
        (place / "long").mkdir()
        (place / "short").mkdir()
        lengths = time_lengths(source, setup=setup, folder=place / "long")
        counts = time_counts(setup=setup, folder=place / "short")
    draw(lengths, counts, output)
    results = {"lengths": lengths, "counts": counts, "source": source.name}
    numbers = RESULTS / "growth.json"
    numbers.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(results, indent=2))


if __name__ == "__main__":
    typer.run(main)
