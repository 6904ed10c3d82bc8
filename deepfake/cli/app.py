"""The program: all of its commands, and what becomes of its errors."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from deepfake import __version__
from deepfake.cli import benchmark, corpora, installation, media, models
from deepfake.cli.text import in_one_line
from deepfake.errors import ConfigError, DeepfakeError

__all__ = ["LIBGL_HINT", "app", "main"]

_SETTINGS = {
    # --batch_size is --batch-size
    "token_normalize_func": lambda name: name.replace("_", "-"),
    "help_option_names": ["-h", "--help"],
}

LIBGL_HINT = "Where libGL is missing: apt-get install libgl1 libglib2.0-0 (Debian, Ubuntu)."


def _with_groups(app: typer.Typer, *groups: typer.Typer) -> typer.Typer:
    for group in groups:
        app.add_typer(group)
    return app


app = _with_groups(
    typer.Typer(
        name="deepfake",
        help="Find deepfakes: ingest corpora, train and compare detectors, score media folders.",
        no_args_is_help=True,
        add_completion=False,
        context_settings=_SETTINGS,
        pretty_exceptions_enable=False,
    ),
    corpora.app,
    media.app,
    installation.app,
    models.app,
    benchmark.app,
)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"deepfake {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    # `--debug` is looked for in the arguments by those who catch errors, `--version` ends here.
    del debug, version


def main() -> None:
    """Run the command; an error of ours is one line and a hint, and exit code 1."""
    try:
        app()
    except DeepfakeError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        typer.secho(f"error: {in_one_line(str(error))}", err=True, fg="red")
        if error.hint:
            typer.secho(f"hint: {error.hint}", err=True)
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None
    except ImportError as error:
        if "--debug" in sys.argv or not str(error).startswith(("libGL", "libgthread")):
            raise
        typer.secho(f"error: OpenCV does not load ({error})", err=True, fg="red")
        typer.secho(f"hint: {LIBGL_HINT}", err=True)
        raise SystemExit(1) from None
