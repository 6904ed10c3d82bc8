"""Read a state without disturbing the run that is at work on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake.config import MediaLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.scoring.state.files import KnownFiles, is_as_probed, is_same_in_tables
from deepfake.scoring.state.parts import KnownParts
from deepfake.scoring.state.schema import (
    BELOW,
    LIMITS,
    bounds,
    limits_key,
    read_state,
    tables_key,
    tables_value,
)
from deepfake.types import Status

__all__ = [
    "LastRun",
    "StateCounts",
    "find_part",
    "find_size_and_time",
    "read_counts",
    "read_last_run",
]


@dataclass(frozen=True, slots=True)
class StateCounts:
    """What a state holds, all of it of one moment.

    Attributes:
        folder: URI of the folder of the last run.
        version: Of the scores of the last run.
        progress: What the last run wrote of itself, JSON; None where it wrote nothing.
        outcomes: Files of the folder by status, or by the status that scoring their content ended
            in; None for those that are still to be scored.
        num_media: Scored media by version.
        num_parts: Parts by version.
    """

    folder: str
    version: str
    progress: str | None
    outcomes: dict[str | None, int]
    num_media: dict[str, int]
    num_parts: dict[str, int]


def read_counts(path: Path) -> StateCounts:
    """Return what a state holds.

    Raises:
        DataError: There is no state, or it cannot be read.
    """
    with read_state(path) as db:
        # One transaction: all numbers are of one moment.
        db.execute("BEGIN")
        meta = {str(name): value for name, value in db.execute("SELECT name, value FROM meta")}
        folder, version = str(meta.get("folder", "")), str(meta.get("version", ""))
        outcomes = db.execute(
            "SELECT CASE WHEN files.status = 'ok' THEN scored.status ELSE files.status END "
            "AS outcome, count(*) FROM files LEFT JOIN scored ON scored.version = ? "
            f"AND scored.media_id = files.media_id WHERE {BELOW} "
            "GROUP BY outcome ORDER BY outcome",
            (version, *bounds(folder)),
        )
        return StateCounts(
            folder=folder,
            version=version,
            progress=meta.get("progress"),
            outcomes=dict(outcomes.fetchall()),
            num_media=dict(db.execute("SELECT version, count(*) FROM scored GROUP BY version")),
            num_parts=dict(db.execute("SELECT version, count(*) FROM parts GROUP BY version")),
        )


def find_size_and_time(path: Path, uri: str) -> tuple[int, int] | None:
    """Return size and time of a file as they were when it was probed; None where that is unknown.

    Args:
        path: The state.
        uri: The file.
    """
    with read_state(path) as db:
        found = db.execute(
            "SELECT size_bytes, mtime_ns FROM files WHERE uri = ? AND NOT is_racy", (uri,)
        ).fetchone()
    return None if found is None else (found[0], found[1])


def find_part(path: Path, *, version: str, media_id: str) -> str | None:
    """Return the key of the part that holds a medium's score; None where it has none.

    Args:
        path: The state.
        version: Digest of detector and settings.
        media_id: The content.
    """
    with read_state(path) as db:
        found = db.execute(
            "SELECT part FROM scored WHERE version = ? AND media_id = ?", (version, media_id)
        ).fetchone()
    return None if found is None else str(found[0])


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last run left in a state, to tell whether another one would find anything new.

    Attributes:
        folder: URI of the folder that is scored.
        version: Of the scores.
        meta: The state's own notes.
        files: Its files.
        parts: Its parts of this version.
    """

    folder: str
    version: str
    meta: dict[str, Any]
    files: KnownFiles
    parts: KnownParts

    @property
    def num_present(self) -> int:
        """Files of the folder that had not gone."""
        return self.files.count(excluding=Status.VANISHED)

    def has_all_in_tables(self, parts: Set[str], *, limits: MediaLimits) -> bool:
        """Return whether all files are scored, and the tables hold it.

        Args:
            parts: Keys of those that are on disk.
            limits: How large a medium may be, which must be as it was.
        """
        text = limits.model_dump_json()
        written = tables_value(int(self.meta.get("changes") or 0), folder=self.folder)
        return (
            self.meta.get(LIMITS) == text
            and self.meta.get(limits_key(self.version)) == text
            and self.meta.get(tables_key(self.version)) == written
            and self.parts.run_numbers().keys() == parts
            and self.files.count_waiting(self.version) == 0
        )

    def are_as_they_were(self, rows: Sequence[ManifestRow]) -> bool:
        """Return whether files that are listed now are known, and neither changed nor racy."""
        before = self.files.find([row.uri for row in rows])
        for row in rows:
            old, is_racy = before.get(row.uri, (None, True))
            if old is None:
                return False
            if row.status is not Status.OK:
                if not is_same_in_tables(old, row):
                    return False
            elif is_racy or not is_as_probed(row, old):
                return False
        return True


@contextmanager
def read_last_run(path: Path, *, folder: str, version: str) -> Iterator[LastRun]:
    """Yield what the last run left; it only reads.

    Args:
        path: The state.
        folder: URI of the folder that is scored.
        version: Of the scores.

    Raises:
        DataError: There is no state, or it cannot be read.
    """
    with read_state(path) as db:
        # One transaction: all of it is of one moment.
        db.execute("BEGIN")
        yield LastRun(
            folder=folder,
            version=version,
            meta={str(name): value for name, value in db.execute("SELECT name, value FROM meta")},
            files=KnownFiles(db, folder=folder),
            parts=KnownParts(db, version=version),
        )
