"""`deepfake setup` and `deepfake up`: set up a Prefect server; run all servers of one machine."""

from __future__ import annotations

import typer

from deepfake.cli.flow_runs import prepare
from deepfake.config.options import SetupOptions, UpOptions
from deepfake.corpora.dataset_names import reject_unknown_dataset
from deepfake.storage import DataRoot, location_of

__all__ = ["run_setup", "run_up"]


def run_setup(options: SetupOptions) -> None:
    """Create what the Prefect server in use lacks, and print each step."""
    for dataset in options.dataset or ():
        reject_unknown_dataset(dataset, root=DataRoot(location_of(options.data_root)))
    prepare(options.data_root)
    from flows.server.setup import set_up

    steps = set_up(
        options.file,
        data_root=options.data_root,
        dataset=options.dataset,
        held_out=options.held_out or options.benchmark,
        name=options.name,
        schedule=options.schedule,
        timezone=options.timezone,
    )
    widths = [max(len(getattr(step, name)) for step in steps) for name in ("kind", "name")]
    for step in steps:
        typer.echo(f"{step.kind:{widths[0]}}  {step.name:{widths[1]}}  {step.outcome}")


def run_up(options: UpOptions) -> None:
    """Run the servers of one machine until they are stopped."""
    from flows.server.processes import serve

    serve(
        data_root=options.data_root,
        file=options.file,
        port=options.port,
        mlflow_port=options.mlflow_port,
        print_line=typer.echo,
    )
