"""Read how far the scores of a folder are, without disturbing the run that is at work on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from deepfake.errors import DataError
from deepfake.scoring.output.folder import ScoresFolder, read_table_counts
from deepfake.scoring.setups import DetectorName, read_setup
from deepfake.scoring.state.queries import StateCounts, read_counts

__all__ = ["INTERRUPTED", "RunStatus", "ScoresStatus", "VersionStatus", "read_status"]

INTERRUPTED = "interrupted"
"""How a run ended that was stopped by Ctrl-C or SIGTERM, or could not write how: it was killed, or
the power was cut."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """The scores of one detector under one configuration.

    Attributes:
        version: Names them.
        detector: Name, version and digest; None where they do not lie here.
        num_parts: Batches on disk.
        num_scored: Media in them.
        has_tables: Whether they were put together into tables.
        statuses: Files in these tables, by status.
        verdicts: Files in these tables, by verdict.
    """

    version: str
    detector: dict[str, Any] | None
    num_parts: int
    num_scored: int
    has_tables: bool
    statuses: dict[str, int]
    verdicts: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The run at work, or the last one.

    Attributes:
        run_id: Names it in the log.
        outcome: `at work`, `finished`, `failed`, or `interrupted`: stopped, killed, or the
            power was cut.
        began_at: ISO 8601, UTC.
        updated_at: When it last wrote of itself.
        ended_at: When it ended.
        seconds: From the beginning to the last time that it wrote of itself.
        media_per_second: Scored, since the first batch was begun.
        seconds_left: What is known to be left takes, at that rate; None where there is no rate or
            no run.
        is_listing: Whether more files may still be found.
        last_part: Key, media, seconds and time of the last batch.
        counters: All numbers of the run.
    """

    run_id: str
    outcome: str
    began_at: str
    updated_at: str
    ended_at: str | None
    seconds: float
    media_per_second: float
    seconds_left: float | None
    is_listing: bool
    last_part: dict[str, Any] | None
    counters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScoresStatus:
    """How far an output folder is.

    Attributes:
        output: The folder.
        owner: Who is at work on it: pid, host, user, since; None if nobody is.
        folder: URI of the media folder of the last run.
        version: Of the scores of the last run.
        num_files: Files of the folder that are known.
        num_scored: Those whose content was scored, whatever came of it.
        num_waiting: Those that have neither a score nor an outcome yet.
        statuses: Files by status; those that wait have none.
        verdicts: Files by verdict, as of the tables of this version; empty without tables.
        run: The run at work, or the last one; None where no run has written of itself.
        versions: All scores that lie here.
    """

    output: str
    owner: dict[str, Any] | None
    folder: str
    version: str
    num_files: int
    num_scored: int
    num_waiting: int
    statuses: dict[str, int]
    verdicts: dict[str, int]
    run: RunStatus | None
    versions: tuple[VersionStatus, ...]

    def as_record(self) -> dict[str, Any]:
        """Return all of it in JSON types."""
        return asdict(self)


def read_status(output: ScoresFolder) -> ScoresStatus:
    """Return how far the scores of a folder are.

    Raises:
        DataError: No scores are kept there.
    """
    if not output.state.is_file():
        raise DataError(
            "no scores are kept there",
            path=output.path,
            hint="Name the folder that was given to `deepfake score` as --output.",
        )
    owner = output.owner()
    state = read_counts(output.state)
    versions = tuple(_versions(state, output))
    outcomes = {status: count for status, count in state.outcomes.items() if status is not None}
    waiting = state.outcomes.get(None, 0)
    tables = read_table_counts(output.version(state.version))
    return ScoresStatus(
        output=str(output.path),
        owner=owner,
        folder=state.folder,
        version=state.version,
        num_files=sum(outcomes.values()) + waiting,
        num_scored=sum(v.num_scored for v in versions if v.version == state.version),
        num_waiting=waiting,
        statuses=outcomes,
        verdicts={} if tables is None else dict(tables.verdicts),
        run=_run(state.progress, is_at_work=owner is not None),
        versions=versions,
    )


def _versions(state: StateCounts, output: ScoresFolder) -> Iterator[VersionStatus]:
    for version in sorted({*output.versions(), *state.num_media}):
        tables = read_table_counts(output.version(version))
        detector: DetectorName | None = None
        with suppress(DataError):
            detector = read_setup(output.version(version)).detector
        yield VersionStatus(
            version=version,
            detector=None if detector is None else detector.model_dump(mode="json"),
            num_parts=state.num_parts.get(version, 0),
            num_scored=state.num_media.get(version, 0),
            has_tables=tables is not None,
            statuses={} if tables is None else dict(tables.statuses),
            verdicts={} if tables is None else dict(tables.verdicts),
        )


def _run(progress_json: str | None, *, is_at_work: bool) -> RunStatus | None:
    if progress_json is None:
        return None
    progress: dict[str, Any] = json.loads(progress_json)
    began, updated = (datetime.fromisoformat(progress[n]) for n in ("began_at", "updated_at"))
    seconds = (updated - began).total_seconds()
    scored, claimed = progress["num_scored"], progress["num_claimed"]
    rate = scored / progress["scoring_seconds"] if progress["scoring_seconds"] > 0 else 0.0
    has_ended = progress["ended_at"] is not None
    outcome = progress["outcome"]
    if not has_ended and not is_at_work:
        outcome = INTERRUPTED
    return RunStatus(
        run_id=progress["run_id"],
        outcome=outcome,
        began_at=progress["began_at"],
        updated_at=progress["updated_at"],
        ended_at=progress["ended_at"],
        seconds=seconds,
        media_per_second=rate,
        seconds_left=(claimed - scored) / rate if rate and not has_ended and is_at_work else None,
        is_listing=progress["is_listing"],
        last_part=progress["last_part"],
        counters={k: v for k, v in progress.items() if k in _COUNTERS},
    )


_COUNTERS = (
    "num_listed",
    "num_probed",
    "num_claimed",
    "num_scored",
    "num_vanished",
    "num_parts",
    "hashed_bytes",
    "extract_seconds",
    "classify_seconds",
    "statuses",
    "verdicts",
)
