"""Print the tables of a benchmark run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speed.figures import TARGETS, Target
from benchmarks.speed.results import REPORTED_ARMS

__all__ = ["print_report"]


def print_report(results: Mapping[str, Any], *, console: Console) -> None:
    """Print what each arm costs, what the detectors cost, and the targets beside the figures.

    Args:
        results: As written.
        console: Where to.
    """
    console.print(_arms_table(results))
    if results["detection"]:
        console.print(_detection_table(results["detection"]))
    console.print(_targets_table(results))
    for what, reason in results["notes"].items():
        console.print(f"{what}: {reason}", markup=False, highlight=False, soft_wrap=True)


def _arms_table(results: Mapping[str, Any]) -> Table:
    table = Table(title=f"{results['num_clips']} clips, 32 frames of each, one thread")
    table.add_column("arm", no_wrap=True)
    heads = ("CPU s a clip", "wall s a clip", "frames/s", "faces/s", "peak MiB", "over the floor")
    for head in heads:
        table.add_column(head, justify="right")
    for arm in REPORTED_ARMS:
        row = results["arms"][arm]
        if row is not None:
            table.add_row(
                arm,
                _number(row["cpu_seconds_a_clip"], digits=3),
                _number(row["wall_seconds_a_clip"], digits=3),
                _number(row["frames_per_second"], digits=1),
                _number(row["faces_per_second"], digits=1),
                _number(results["peak_rss_mb"].get(arm), digits=0),
                _number(row["over_floor"], digits=2),
            )
    return table


def _detection_table(detection: Mapping[str, Any]) -> Table:
    title = f"detection alone, {detection['num_frames']} frames of {detection['num_clips']} clips"
    table = Table(title=title)
    for head, justify in (("detector", "left"), ("CPU ms a frame", "right"), ("faces", "right")):
        table.add_column(head, justify=justify)  # type: ignore[arg-type]
    for name, seconds in detection["cpu_seconds_a_frame"].items():
        table.add_row(name, _number(1000 * seconds, digits=1), str(detection["num_faces"][name]))
    return table


def _targets_table(results: Mapping[str, Any]) -> Table:
    table = Table(title="targets")
    table.add_column("figure", no_wrap=True)
    for head in ("found", "95 % of draws", "target"):
        table.add_column(head, justify="right")
    table.add_column("")
    for target in TARGETS:
        value, interval = results[target.key], results["intervals"].get(target.key)
        table.add_row(
            target.title,
            _number(value, digits=2),
            _interval(interval),
            _limit(target),
            _verdict(target, value),
        )
    return table


def _interval(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["low"] is None:
        return ""
    return f"{interval['low']:.2f} to {interval['high']:.2f}"


def _limit(target: Target) -> str:
    if target.limit is None:
        return ""
    return f"{'at most' if target.is_ceiling else 'at least'} {target.limit:.4g}"


def _verdict(target: Target, value: float | None) -> str:
    if value is None:
        return "[dim]not measured[/]"
    is_met = target.is_met(value)
    if is_met is None:
        return ""
    return "[green]met[/]" if is_met else "[red]missed[/]"


def _number(value: float | None, *, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
