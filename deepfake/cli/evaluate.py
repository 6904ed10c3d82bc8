"""`deepfake evaluate`: a detector's metrics on a labelled corpus."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from deepfake.cli.flow_runs import prepare, print_detector, print_run, run_flow
from deepfake.cli.markdown import print_markdown
from deepfake.config.options import EvaluateOptions

__all__ = ["print_evaluate", "run_evaluate"]

_BRIEF = ("video_auc", "video_accuracy", "video_precision", "video_recall", "video_f1")


def run_evaluate(options: EvaluateOptions) -> None:
    """Run the `evaluate` flow."""
    prepare(options.data_root)
    print_evaluate(run_flow("evaluate", options))


def print_evaluate(summary: dict[str, Any], *, is_brief: bool = False) -> None:
    """Print what an evaluation found: all of it, or the five best-known numbers."""
    console = Console(markup=False)
    print_detector(console, summary)
    if is_brief:
        known = {name: summary["metrics"].get(name) for name in _BRIEF}
        text = ", ".join(
            f"{k.removeprefix('video_')} {v:.3f}" for k, v in known.items() if v is not None
        )
        console.print(f"{summary['num_files']} files of {summary['split']}: {text}")
    else:
        print_markdown(console, summary["markdown"])
    console.print(f"figures and tables: {summary['folder']}", soft_wrap=True)
    print_run(console, summary)
