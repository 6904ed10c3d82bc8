"""`deepfake benchmark`: files that decide on detectors. Starts no server."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["app"]

app = typer.Typer(
    name="benchmark",
    help="Freeze files that decide on detectors and are never learnt from.",
    no_args_is_help=True,
)

RootOption = Annotated[str, typer.Option(help="Where corpora and benchmarks lie.")]


@app.command()
def freeze(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the benchmark.")],
    dataset: Annotated[str, typer.Option(help="An ingested corpus; its newest snapshot.")],
    split: Annotated[
        Literal["test", "all"],
        typer.Option(help="Its test part, or all of it: then it cannot be trained on."),
    ] = "test",
    data_root: RootOption = "data",
) -> None:
    """Freeze the labelled files of a corpus under a name, for good."""
    from deepfake.cli.freeze import run_freeze

    run_freeze(name, dataset=dataset, split=split, data_root=data_root)


@app.command("list")
def list_(data_root: RootOption = "data") -> None:
    """List the benchmarks, and how often each was looked at."""
    from deepfake.cli.freeze import print_benchmarks

    print_benchmarks(data_root)
