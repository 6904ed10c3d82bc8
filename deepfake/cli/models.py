"""`deepfake models`: the registry's versions, who is champion, and the way back. No server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["app"]

app = typer.Typer(
    name="models",
    help="List, compare, promote and roll back registered detectors.",
    no_args_is_help=True,
)

NameOption = Annotated[str, typer.Option(help="The registered model.")]
WhichArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="A number, champion, challenger or latest.")
]
ReasonOption = Annotated[str | None, typer.Option(help="Why; kept with the version.")]


@app.command("list")
def list_(name: NameOption = "deepfake-detector") -> None:
    """List the versions, the newest first."""
    from deepfake.cli.registry import print_versions

    print_versions(name)


@app.command()
def show(which: WhichArgument, name: NameOption = "deepfake-detector") -> None:
    """Show all that is known of a version, and the history of champions."""
    from deepfake.cli.registry import print_version

    print_version(name, which)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A number, champion, challenger.")],
    second: Annotated[str, typer.Argument(metavar="B", help="A number, champion, challenger.")],
    name: NameOption = "deepfake-detector",
) -> None:
    """Show what is on record of two versions, side by side."""
    from deepfake.cli.registry import print_comparison

    print_comparison(name, first, second)


@app.command()
def promote(
    which: WhichArgument,
    reason: ReasonOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without a reason.")] = False,
    name: NameOption = "deepfake-detector",
) -> None:
    """Make a version champion by hand: what scoring uses from then on."""
    options: dict[str, Any] = {"which": which, "reason": reason, "is_sure": yes, "name": name}
    from deepfake.cli.registry import run_promote

    run_promote(**options)


@app.command()
def rollback(reason: ReasonOption = None, name: NameOption = "deepfake-detector") -> None:
    """Make the last champion before the present one champion again; several times, step by step."""
    from deepfake.cli.registry import run_rollback

    run_rollback(name, reason=reason)
