"""`deepfake setup` and `deepfake up`: the servers of one machine, and what they have to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from deepfake.cli.commands import prepare

__all__ = ["run_setup", "run_up"]


def run_setup(options: dict[str, Any]) -> None:
    """Make what the Prefect server in use lacks, and say what was done."""
    prepare(options)
    from flows.setup import set_up

    steps = set_up(
        Path(options["file"]),
        data_root=options["data_root"],
        schedule=options["schedule"],
        timezone=options["timezone"],
    )
    widths = [max(len(getattr(step, name)) for step in steps) for name in ("kind", "name")]
    for step in steps:
        typer.echo(f"{step.kind:{widths[0]}}  {step.name:{widths[1]}}  {step.outcome}")


def run_up(options: dict[str, Any]) -> None:
    """Run the servers of one machine until told to stop."""
    from flows.servers import serve

    serve(
        data_root=options["data_root"],
        file=Path(options["file"]),
        port=options["port"],
        mlflow_port=options["mlflow_port"],
        say=typer.echo,
    )
