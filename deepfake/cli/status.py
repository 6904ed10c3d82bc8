"""`deepfake status`: how far a scoring job is. Starts no server and disturbs no run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import typer

from deepfake.config.options import StatusOptions
from deepfake.scoring import ScoresFolder, ScoresStatus, read_status
from deepfake.scoring.run.status import RunStatus
from deepfake.storage import location_of

__all__ = ["run_status"]


def run_status(options: StatusOptions) -> None:
    """Print how far the scores of an output folder are."""
    status = read_status(ScoresFolder(location_of(options.output)))
    if options.as_json:
        typer.echo(json.dumps(status.as_record(), indent=2, ensure_ascii=False))
        return
    for line in _lines(status):
        typer.echo(line)


def _lines(status: ScoresStatus) -> Iterator[str]:
    owner = status.owner
    if owner is None:
        yield "at work: nobody"
    elif owner:
        yield (
            f"at work: process {owner['pid']} of {owner['user']} on {owner['host']} "
            f"since {owner['since']}"
        )
    else:
        yield "at work: a process that has not identified itself yet"
    yield f"folder: {status.folder}"
    yield (
        f"files: {status.num_files} known, {status.num_waiting} waiting for a score; "
        f"{status.num_scored} media scored"
    )
    yield f"by status: {_counts(status.statuses)}"
    yield f"by verdict: {_counts(status.verdicts)}"
    if status.run is not None:
        yield from _run_lines(status.run)
    for version in status.versions:
        mark = " (the last run's)" if version.version == status.version else ""
        detector = version.detector or {"name": "unknown", "digest": "unknown"}
        tables = (
            f"tables of {sum(version.statuses.values())} files"
            if version.has_tables
            else ("no tables yet")
        )
        yield (
            f"version {version.version}{mark}: {detector['name']}, digest {detector['digest']}, "
            f"{version.num_scored} media in {version.num_parts} parts, {tables}"
        )


def _run_lines(run: RunStatus) -> Iterator[str]:
    ended = f", ended {run.ended_at}" if run.ended_at else ""
    yield f"run {run.run_id}: {run.outcome}; began {run.began_at}{ended}"
    counters = run.counters
    yield (
        f"  listed {counters['num_listed']}, hashed {counters['num_probed']} "
        f"({counters['hashed_bytes'] / 2**20:.0f} MiB), scored {counters['num_scored']} of "
        f"{counters['num_claimed']} found so far, vanished {counters['num_vanished']}"
    )
    left = ""
    if run.seconds_left is not None:
        least = "at least " if run.is_listing else ""
        left = f", {least}{timedelta(seconds=round(run.seconds_left))} left"
    yield f"  {run.media_per_second:.2f} media a second; {run.seconds:.0f} s so far{left}"
    if run.last_part is not None:
        part = run.last_part
        yield (
            f"  last part: {part['key']}, {part['media']} media in {part['seconds']:.1f} s, "
            f"at {part['at']}"
        )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none yet"
