"""`deepfake detect`: a verdict for each file, without Prefect and without a server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

from deepfake.cli.detector_choice import (
    choose_detector,
    data_root_of,
    print_sync_detector,
    print_voice_detector,
)
from deepfake.cli.flow_runs import exit_if_files_failed
from deepfake.cli.verdicts import file_line, sync_line, verdict_line, voice_line
from deepfake.compute.devices import resolve_device
from deepfake.config.options import DetectOptions
from deepfake.corpora.layouts import scan_media
from deepfake.detectors.bundles import DetectorSpec, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import check_precision
from deepfake.extract.options import choose_sampling
from deepfake.scoring import (
    ScorerSetup,
    choose_file_rule,
    choose_sync_detector,
    choose_voice_detector,
    json_row,
    score_media,
)
from deepfake.scoring.file_answers import answers_of
from deepfake.storage import engine_cache
from deepfake.storage.environment import configure_environment
from deepfake.types import NO_SOUND, PICTURE_KINDS, Kind, SyncVerdict, Verdict

__all__ = ["run_detect"]


def run_detect(options: DetectOptions) -> None:
    """Score the files named and print a line, or a JSON object, for each."""
    data_root = data_root_of(options.data_root)
    configure_environment(data_root)
    rows = scan_media(list(options.files))
    console = Console(stderr=True, markup=False)
    identity, notes = choose_detector(options.weights, data_root=data_root, console=console)
    setup = _setup(identity, options, data_root=data_root)
    notes += print_voice_detector(setup, console=console)
    notes += print_sync_detector(setup, console=console)
    limits = options.worker_limits
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("detect", total=len(rows))
        media = score_media(
            rows, setup=setup, limits=limits, on_done=lambda done: bar.update(task, completed=done)
        )
    scores = [medium.score.as_row() for medium in media]
    if options.as_json:
        records = [{**json_row(row), "notes": notes} for row in scores]
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
    else:
        _print_verdicts(scores, spec=load_bundle(identity.path).spec, setup=setup)
    if options.report is not None:
        from deepfake.cli.report import write_detect_report

        write_detect_report(options.report, media, setup=setup, limits=limits)
    statuses = Counter(str(medium.score.status) for medium in media)
    if len(scores) > 1:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
        typer.echo(f"{len(scores)} files: {counts}", err=True)
    exit_if_files_failed(statuses)


def _setup(identity: DetectorIdentity, options: DetectOptions, *, data_root: Path) -> ScorerSetup:
    device = resolve_device(options.device)
    check_precision(options.precision, device=device)
    sampling = choose_sampling(
        load_bundle(identity.path).spec.sampling,
        strategy=options.sampling,
        frames=options.frames,
        fps=options.fps,
    )
    return ScorerSetup(
        identity,
        device=device,
        precision=options.precision,
        sampling=sampling,
        prior=options.prior,
        limits=options.media_limits,
        cache=engine_cache(),
        voice=choose_voice_detector(options, data_root=data_root),
        sync=choose_sync_detector(options, data_root=data_root),
        file_rule=choose_file_rule(options),
    )


def _print_verdicts(
    scores: list[dict[str, Any]], *, spec: DetectorSpec, setup: ScorerSetup
) -> None:
    console = Console(highlight=False)
    voice, sync = setup.voice_bundle, setup.sync_bundle
    is_voice_calibrated = voice is not None and voice.spec.judgement.calibration.is_fitted
    is_sync_calibrated = sync is not None and sync.spec.judgement.calibration.is_fitted
    for row in scores:
        kind = row["kind"]
        is_picture = kind in PICTURE_KINDS
        is_calibrated = not is_picture or spec.judgement_of(Kind(kind)).calibration.is_fitted
        if len(answers_of(row)) > 1:
            console.print(file_line(row), soft_wrap=True)
        if kind != Kind.AUDIO or row["verdict_voice"] is None:
            console.print(verdict_line(row, is_calibrated=is_calibrated), soft_wrap=True)
        if row["verdict_voice"] is not None and _may_have_voice(row):
            line = voice_line(row, is_calibrated=is_voice_calibrated)
            console.print(line, soft_wrap=True)
        if row["verdict_sync"] not in (None, SyncVerdict.NOT_APPLICABLE):
            line = sync_line(row, is_calibrated=is_sync_calibrated)
            console.print(line, soft_wrap=True)


def _may_have_voice(row: Mapping[str, Any]) -> bool:
    """Return whether a line on the voice says more than the line on the pictures does."""
    if row["verdict_voice"] != Verdict.NOT_APPLICABLE:
        return True
    has_sound = row["kind"] == Kind.AUDIO or row["reason_voice"] != NO_SOUND
    return row["kind"] in (Kind.AUDIO, Kind.VIDEO) and has_sound
