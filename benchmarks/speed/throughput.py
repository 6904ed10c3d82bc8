"""Time extraction and scoring against decoding alone and against stock libraries.

Run by `make bench`. `benchmarks/README.md` says what is compared and how.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks import RESULTS, ROOT

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from benchmarks.speed.clips import Clip

__all__ = ["app", "main"]

_VIDEOS = ROOT / "../shared/data/videos"

_QUIET_SECONDS = 15.0
_WIDTH = 110
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    folder: Annotated[Path, typer.Argument(help="Where the videos are, at any depth.")] = _VIDEOS,
    repeats: Annotated[
        int,
        typer.Option(
            min=1, help="Runs of each arm that a target rests on; the stock path has one."
        ),
    ] = 2,
    output: Annotated[Path, typer.Option(help="Where the figures are written, as JSON.")] = RESULTS
    / "throughput.json",
    only: Annotated[
        str, typer.Option(help="Arms and parts to run, separated by commas; all if empty.")
    ] = "",
    skip_long: Annotated[bool, typer.Option("--skip-long", help="No two-hour clip.")] = False,
    skip_many: Annotated[bool, typer.Option("--skip-many", help="No 2,000 files.")] = False,
    clips: Annotated[
        int | None, typer.Option(min=1, help="So many clips, spread over the folder.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="A bundle to score with, instead of EfficientNet-Lite0.")
    ] = None,
) -> None:
    """Measure what extraction and scoring cost, and write it down."""
    # Read by the libraries while they load, so it comes before them.
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    from rich.console import Console

    from benchmarks.speed.arms import PARTS
    from benchmarks.speed.clips import find_clips, spread_items
    from deepfake.errors import DeepfakeError

    asked = {part.strip() for part in only.split(",") if part.strip()} or set(PARTS)
    unknown = sorted(asked - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    parts = asked - ({"long"} if skip_long else set()) - ({"many"} if skip_many else set())
    progress = Console(stderr=True, markup=False, highlight=False)
    try:
        found, left_out = find_clips(folder)
        chosen = spread_items(found, count=clips or len(found))
        results = _measure(chosen, parts, repeats, detector, left_out=left_out, progress=progress)
    except (FileNotFoundError, DeepfakeError) as error:
        progress.print(str(error), soft_wrap=True)
        raise typer.Exit(1) from error
    _report(results, output=output)
    progress.print(f"written: {output}", soft_wrap=True)


def _measure(
    clips: Sequence[Clip],
    parts: Collection[str],
    repeats: int,
    detector: Path | None,
    *,
    left_out: Mapping[str, str],
    progress: Console,
) -> dict[str, Any]:
    from benchmarks.speed.results import to_results
    from benchmarks.speed.run_all import Options, run_benchmark

    with progress.status("setting up") as status:
        findings = run_benchmark(
            Options(clips, parts, repeats, detector), tell=_teller(progress, status)
        )
    findings.notes.update({name: f"left out: {reason}" for name, reason in left_out.items()})
    return to_results(findings)


def _report(results: Mapping[str, Any], *, output: Path) -> None:
    from rich.console import Console

    from benchmarks.speed.print_report import print_report
    from deepfake.storage import write_json

    write_json(output, results)
    console = Console()
    # A file or a pipe has no width of its own.
    print_report(results, console=console if console.is_terminal else Console(width=_WIDTH))


def _teller(progress: Console, status: Status) -> Callable[[str], None]:
    """Return what shows a line of progress; outside a terminal, one now and then."""
    if progress.is_terminal:
        return status.update
    shown_at = 0.0

    def tell(text: str) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _QUIET_SECONDS:
            shown_at = time.monotonic()
            progress.print(text, soft_wrap=True)

    return tell


if __name__ == "__main__":
    app()
