"""`deepfake forget`: a medium and all that was made of it, removed. Starts no server."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from deepfake.config.options import ForgetOptions
from deepfake.forgetting import forget
from deepfake.storage import DataRoot, location_of

__all__ = ["run_forget"]


def run_forget(options: ForgetOptions) -> None:
    """Remove everything stored about a medium, and print what was removed and what remains."""
    home = os.environ.get("PREFECT_HOME")
    is_dry_run = options.dry_run
    done = forget(
        DataRoot(location_of(options.data_root)),
        options.which,
        outputs=[location_of(output) for output in options.output or ()],
        prefect_home=None if home is None else Path(home),
        is_dry_run=is_dry_run,
    )
    for media_id in sorted(done.media.media_ids):
        typer.echo(f"media_id: {media_id}")
    for uri in sorted(done.media.uris):
        typer.echo(f"uri: {uri}")
    word = "would remove" if is_dry_run else "removed"
    for removal in done.removals:
        typer.echo(f"{word}: {removal.what}: {removal.path}")
    if not done.removals:
        typer.echo("nothing is stored about it")
    for sentence in done.remains:
        typer.echo(f"remains: {sentence}")
    for warning in done.warnings:
        typer.echo(f"warning: {warning}", err=True)
