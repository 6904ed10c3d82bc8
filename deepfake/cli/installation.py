"""The commands about an installation and what runs beside it, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepfake.cli.options import DataRootOption, PrefectFileOption, WeightsOption, plain

__all__ = ["app"]

app = typer.Typer()


@app.command()
def export(
    output: Annotated[Path, typer.Option(help="The ONNX file.")],
    weights: WeightsOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    data_root: DataRootOption = "data",
) -> None:
    """Write a detector's network as ONNX, and compare it with the original."""
    options = plain(locals())
    from deepfake.cli.export import run_export

    run_export(options)


@app.command()
def setup(
    file: PrefectFileOption = Path("prefect.yaml"),
    schedule: Annotated[
        str | None,
        typer.Option(
            help='When to retrain, as cron has it: "0 3 * * 1"; off for never; else as it is.'
        ),
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of the schedule.")] = "UTC",
    data_root: DataRootOption = "data",
) -> None:
    """Create pool, limits, deployments and automations in Prefect; again changes nothing."""
    options = plain(locals())
    from deepfake.cli.servers import run_setup

    run_setup(options)


@app.command()
def up(
    file: PrefectFileOption = Path("prefect.yaml"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the Prefect server; 0 for a free one.")
    ] = 4200,
    mlflow_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the MLflow UI; 0 for a free one.")
    ] = 5000,
    data_root: DataRootOption = "data",
) -> None:
    """Run Prefect's server, a worker and MLflow's UI on this machine, until Ctrl-C."""
    options = plain(locals())
    from deepfake.cli.servers import run_up

    run_up(options)


@app.command()
def demo(data_root: DataRootOption = "data") -> None:
    """Run the whole pipeline on media made here: two people, so no evaluation."""
    from deepfake.cli.demo import run_demo
    from deepfake.storage import local_path

    run_demo(local_path(data_root))


@app.command()
def doctor(data_root: DataRootOption = "data") -> None:
    """Say what is installed, what is found, and what is wrong."""
    from deepfake.cli.doctor import run_doctor
    from deepfake.storage import local_path

    run_doctor(local_path(data_root))
