"""`deepfake retrain`: a challenger, and whether it becomes champion."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from deepfake.cli.flow_runs import detector_name, prepare, run_flow
from deepfake.cli.markdown import print_markdown
from deepfake.config.options import RetrainOptions

__all__ = ["run_retrain"]

_OUTCOMES = {
    "promoted": "promoted: the challenger is champion now",
    "kept": "kept: the champion stays",
    "no_held_out_set": "not decided: without a held-out set nothing is promoted by itself",
    "nothing_new": "nothing new: no challenger was trained",
}


def run_retrain(options: RetrainOptions) -> None:
    """Run the `retrain` flow, and print its decision and the reasons."""
    prepare(options.data_root)
    _print_retrain(run_flow("retrain", options))


def _print_retrain(summary: dict[str, Any]) -> None:
    console = Console(markup=False)
    for note in summary["notes"]:
        console.print(f"  note: {note}")
    if "markdown" in summary:
        print_markdown(console, summary["markdown"])
    champion = summary["champion"]
    console.print(f"compared with: {detector_name(champion)}")
    outcome = _OUTCOMES[summary["outcome"]]
    if summary["outcome"] == "promoted" and summary["alias"] != "champion":
        outcome = "better, but not promoted: see the note"
    console.print(outcome)
    for reason in summary["reasons"]:
        console.print(f"  {reason}", soft_wrap=True)
    if summary["outcome"] == "nothing_new":
        return
    console.print(
        f"registered: {summary['model_name']} version {summary['model_version']} "
        f"({summary['alias']})"
    )
    console.print(f"decision: {summary['run_dir']}/decision/decision.md", soft_wrap=True)
    console.print(f"MLflow run: {summary['decision_run_id']} in {summary['tracking_uri']}")
    console.print(f"look at it: {summary['ui_command']}", soft_wrap=True)
