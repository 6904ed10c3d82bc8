"""`deepfake sample`: scored media that a person should label. Starts no server."""

from __future__ import annotations

import typer

from deepfake.config.options import SampleOptions
from deepfake.errors import ConfigError, DataError
from deepfake.scoring import labelling_csv, least_certain
from deepfake.storage import location_of, write_text
from deepfake.types import Verdict

__all__ = ["run_sample"]


def run_sample(options: SampleOptions) -> None:
    """Write or print the media, and print the next step."""
    path = options.output
    if path is not None and path.exists() and not options.overwrite:
        # Somebody may have filled in labels.
        raise ConfigError(
            "the file already exists", path=path, hint="Name another, or --overwrite."
        )
    media = least_certain(location_of(options.folder), num=options.uncertain)
    if not media:
        raise DataError(
            "there is no scored medium to label",
            path=options.folder,
            hint="Media must still be on this machine, at the paths at which they were scored.",
        )
    if path is None:
        typer.echo(labelling_csv(media), nl=False)
    else:
        write_text(path, labelling_csv(media))
    unsure = sum(medium.verdict is Verdict.UNCERTAIN for medium in media)
    typer.echo(f"{len(media)} media, {unsure} of them uncertain, the least sure first", err=True)
    typer.echo(
        "next: fill in real or fake (an empty label stays unlabelled), then "
        f"deepfake ingest {path or 'FILE.csv'} --corpus NAME --layout csv",
        err=True,
    )
