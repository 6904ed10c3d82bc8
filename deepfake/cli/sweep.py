"""`deepfake sweep`: the best settings of a training."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from deepfake.cli.flow_runs import prepare, run_flow
from deepfake.config.options import SweepOptions

__all__ = ["run_sweep"]

_SHOWN = 10


def run_sweep(options: SweepOptions) -> None:
    """Run the `sweep` flow, and print the best trials and what to do with the best."""
    prepare(options.data_root)
    _print_sweep(run_flow("sweep", options))


def _print_sweep(summary: dict[str, Any]) -> None:
    console = Console(markup=False)
    trials, best = summary["trials"], summary["best"]
    states = [trial["state"] for trial in trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    console.print(f"{len(trials)} trials of {summary['name']}: {counts}")
    for note in summary["notes"]:
        console.print(f"  note: {note}")
    if best is None:
        console.print("no trial was completed")
        return
    done = [trial for trial in trials if trial["value"] is not None]
    table = Table(title=f"best by {summary['metric']}", title_justify="left")
    settings = [name for name in best if name not in ("number", "value")]
    for column in ("trial", "value", *settings):
        table.add_column(column, justify="right")
    for trial in sorted(done, key=lambda t: -float(t["value"]))[:_SHOWN]:
        values = [_text(trial[name]) for name in ("value", *settings)]
        table.add_row(str(trial["number"]), *values)
    console.print(table)
    console.print(f"best detector: {summary['bundle']}", soft_wrap=True)
    console.print(
        f"train with these settings: deepfake train --dataset {summary['corpus']} "
        f"--recipe {summary['recipe']}",
        soft_wrap=True,
    )
    if summary["run_id"]:
        console.print(f"MLflow run: {summary['run_id']} in {summary['tracking_uri']}")
        console.print(f"look at it: {summary['ui_command']}", soft_wrap=True)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
