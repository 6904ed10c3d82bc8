"""`deepfake robustness`: a detector's metrics on degraded media."""

from __future__ import annotations

from rich.console import Console

from deepfake.cli.flow_runs import prepare, print_detector, print_run, run_flow
from deepfake.cli.markdown import print_markdown
from deepfake.config.options import RobustnessOptions

__all__ = ["run_robustness"]


def run_robustness(options: RobustnessOptions) -> None:
    """Run the `robustness` flow."""
    prepare(options.data_root)
    summary = run_flow("robustness", options)
    console = Console(markup=False)
    print_detector(console, summary)
    print_markdown(console, summary["markdown"])
    console.print(f"figure and tables: {summary['folder']}", soft_wrap=True)
    print_run(console, summary)
