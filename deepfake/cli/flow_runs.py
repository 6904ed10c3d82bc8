"""Run the flow of a command, and print what all flows report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from deepfake.cli.exit_codes import ExitCode
from deepfake.config.options import Options, flow_parameters
from deepfake.detectors.identity import name_with_version
from deepfake.registry import describe_other_registry, mask_credentials, tracking_uri
from deepfake.storage import DataRoot, location_of
from deepfake.storage.environment import configure_environment
from deepfake.types import EXPECTED_STATUSES

__all__ = [
    "detector_name",
    "exit_if_files_failed",
    "prepare",
    "print_detector",
    "print_metrics",
    "print_other_registry",
    "print_run",
    "run_flow",
]


def prepare(data_root: str) -> None:
    """Set and print where Prefect and MLflow keep their state, before Prefect is imported."""
    root = DataRoot(location_of(data_root)).make_here()
    configure_environment(root)
    api = os.environ.get("PREFECT_API_URL")
    prefect = mask_credentials(api) if api else os.environ.get("PREFECT_HOME", "")
    line = f"Prefect: {prefect}   MLflow: {mask_credentials(tracking_uri(root))}"
    console = Console(stderr=True, markup=False)
    console.print(line, style="dim", highlight=False)
    print_other_registry(console, root)


def print_other_registry(console: Console, data_root: Path) -> None:
    """Print that the working folder has a registry which is not the data root's."""
    if note := describe_other_registry(data_root):
        console.print(f"note: {note}", style="yellow", highlight=False, soft_wrap=True)


def run_flow(name: str, options: Options) -> dict[str, Any]:
    """Run a flow with the options of its command, and return its summary.

    Args:
        name: Of the flow and of its module in `flows`.
        options: Those of the command.
    """
    with Console(stderr=True, markup=False).status("Prefect starts", spinner="line") as status:
        from flows.server import run

        return run.run_flow(name, flow_parameters(options), on_start=status.stop)


def detector_name(detector: dict[str, Any]) -> str:
    """Return a detector's name, with its version where it has one."""
    return name_with_version(detector["name"], detector["version"])


def print_detector(console: Console, summary: dict[str, Any]) -> None:
    """Print which detector it was, how it was chosen, and what to know about it."""
    name = detector_name(summary["detector"])
    console.print(f"detector: {name} ({summary['detector_chosen_by']})")
    for note in summary.get("notes", []):
        console.print(f"  note: {note}")


def print_metrics(console: Console, summary: dict[str, Any]) -> None:
    """Print a new detector's metrics on `val`, and where it is."""
    for note in summary["notes"]:
        console.print(f"  note: {note}")
    for name, value in sorted(summary["metrics"].items()):
        if value is not None:
            text = f"{value:.4f}" if isinstance(value, float) else str(value)
            console.print(f"  {name}: {text}")
    console.print(f"detector: {summary['bundle']}", soft_wrap=True)
    print_run(console, summary)


def print_run(console: Console, summary: dict[str, Any]) -> None:
    """Print the MLflow run, and the registered version if there is one."""
    if summary.get("run_id"):
        console.print(f"MLflow run: {summary['run_id']} in {summary['tracking_uri']}")
        console.print(f"look at it: {summary['ui_command']}", soft_wrap=True)
    if summary.get("model_version"):
        console.print(f"registered: {summary['model_name']} version {summary['model_version']}")


def exit_if_files_failed(statuses: dict[str, int]) -> None:
    """Exit with code 3, and say why, if some file has an unexpected status."""
    expected = {str(status) for status in EXPECTED_STATUSES}
    unexpected = {s: n for s, n in statuses.items() if s not in expected}
    if unexpected:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(unexpected.items()))
        typer.echo(f"some files could not be used: {counts}", err=True)
        raise typer.Exit(ExitCode.FILES_FAILED)
