"""`deepfake report`: scores and their evidence as one HTML file. No server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress

from deepfake.cli.text import count_of
from deepfake.config import WorkerLimits
from deepfake.config.options import ReportOptions
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError
from deepfake.evidence import explain_scores, has_score, make_missing_evidence
from deepfake.evidence.embedded_json import REPORT_NAME
from deepfake.scoring import ScoredMedium, ScorerSetup, ScoresFolder, describe_for_report
from deepfake.scoring.scorer_settings import all_reading_notes
from deepfake.storage import Location, location_of
from deepfake.views.report import Report, create_report, read_report, write_report

__all__ = ["run_report", "write_detect_report"]


def run_report(options: ReportOptions) -> None:
    """Write the report of a folder of scores."""
    folder = ScoresFolder(location_of(options.folder))
    version_dir = folder.version(folder.shown_version)
    _make_evidence(version_dir, options)
    report = read_report(folder.path, version_dir=version_dir)
    output = options.output
    _write(folder.path / REPORT_NAME if output is None else output, report)


def _make_evidence(version_dir: Location, options: ReportOptions) -> None:
    """Make missing evidence, and print the reason if it cannot be made."""
    console = Console(stderr=True, markup=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evidence", total=None)
        made = make_missing_evidence(
            version_dir,
            num_files=options.evidence,
            weights=options.weights,
            data_root=location_of(options.data_root),
            on_done=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if made.problem is not None:
        typer.echo(f"no further evidence could be made: {made.problem}", err=True)
    elif made.num_made:
        files = count_of(made.num_made, "file")
        typer.echo(f"evidence made for {files}", err=True)


def write_detect_report(
    path: Path, media: Sequence[ScoredMedium], *, setup: ScorerSetup, limits: WorkerLimits
) -> None:
    """Make the evidence for a few scores and write their report.

    Args:
        path: The HTML file.
        media: As scored.
        setup: Which detectors, and how.
        limits: What one file may cost.
    """
    console = Console(stderr=True, markup=False)
    bundle, voice = load_bundle(setup.detector.path), setup.voice_bundle
    sync = setup.sync_bundle
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evidence", total=sum(has_score(m.score.as_row()) for m in media))
        evidence = explain_scores(
            media,
            setup=setup,
            limits=limits,
            on_done=lambda done: bar.update(task, completed=done),
        )
    report = create_report(
        [medium.score.as_row() for medium in media],
        detector=f"{setup.detector.full_name}, digest {bundle.digest}",
        notes=all_reading_notes(setup, bundle=bundle),
        reading=describe_for_report(bundle.spec),
        evidence=evidence,
        voice_detector=None
        if setup.voice is None or voice is None
        else f"{setup.voice.full_name}, digest {voice.digest}",
        sync_detector=None
        if setup.sync is None or sync is None
        else f"{setup.sync.full_name}, digest {sync.digest}",
    )
    _write(path, report)


def _write(path: Location, report: Report) -> None:
    if isinstance(path, Path) and path.is_dir():
        raise ConfigError("this is a folder: name a file for the report", path=path)
    try:
        write_report(path, report)
    except OSError as error:
        raise ConfigError(f"the report cannot be written ({error.strerror})", path=path) from error
    typer.echo(f"report: {path}", err=True)
