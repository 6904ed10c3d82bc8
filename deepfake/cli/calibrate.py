"""`deepfake calibrate`: a detector with new probabilities and thresholds."""

from __future__ import annotations

from rich.console import Console

from deepfake.cli.flow_runs import detector_name, prepare, print_metrics, run_flow
from deepfake.config.options import CalibrateOptions

__all__ = ["run_calibrate"]


def run_calibrate(options: CalibrateOptions) -> None:
    """Run the `calibrate` flow."""
    prepare(options.data_root)
    summary = run_flow("calibrate", options)
    console = Console(markup=False)
    name = detector_name(summary["detector"])
    console.print(f"calibrated: {name} ({summary['detector_chosen_by']})")
    print_metrics(console, summary)
