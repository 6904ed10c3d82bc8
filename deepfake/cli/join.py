"""`deepfake join`: one detector out of two. Starts no server."""

from __future__ import annotations

import typer

from deepfake.config.options import JoinOptions
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError

__all__ = ["run_join"]


def run_join(options: JoinOptions) -> None:
    """Write the joint detector, and print what to do next."""
    if options.output.exists():
        raise ConfigError(f"{options.output} exists already", hint="Name another --output.")
    for folder in (options.first, options.second):
        if not folder.is_dir():
            raise ConfigError(
                f"no detector at {folder}", hint="Give the folder of a detector bundle."
            )
    from deepfake.training.join import join_bundles

    written = join_bundles(
        [options.first, options.second],
        options.output,
        name=options.name,
        as_first=options.as_first,
    )
    bundle = load_bundle(written)
    heads = ", ".join(head.name for head in bundle.spec.heads)
    typer.echo(f"written: {written} ({bundle.digest}), heads {heads}")
    typer.echo(f"next: deepfake calibrate --weights {written} --dataset CORPUS")
