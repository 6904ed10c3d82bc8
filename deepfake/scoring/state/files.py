"""Query and change the files of a state: what listing and probing found of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DataError
from deepfake.scoring.state.schema import BELOW, COLUMNS, bounds, row_of
from deepfake.storage.event_log import log_event
from deepfake.types import EXPECTED_STATUSES, Status

__all__ = ["KnownFiles", "is_as_probed", "is_same_in_tables", "log_failure"]

_FINAL = {Status.OK, Status.EMPTY, Status.UNSUPPORTED, Status.DECODE_ERROR, Status.TOO_LARGE}
"""What probing says of bytes and would say again."""


class KnownFiles:
    """The files of a state; the caller sees to it that changes are written together.

    Args:
        db: Of the state.
        folder: URI of the folder that is scored.
    """

    def __init__(self, db: sqlite3.Connection, *, folder: str) -> None:
        self._db = db
        self._folder = folder

    def iter_all(self) -> Iterator[tuple[Any, ...]]:
        """Yield what is known of every file, wherever it is, as `replace_all` takes it."""
        yield from self._db.execute(f"SELECT {COLUMNS}, is_racy FROM files ORDER BY uri")

    def replace_all(self, files: Iterable[Sequence[Any]]) -> None:
        """Put other files in the place of all that are known."""
        self._db.execute("DELETE FROM files")
        self._db.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", map(tuple, files)
        )

    def find(self, uris: Sequence[str]) -> dict[str, tuple[ManifestRow, bool]]:
        """Return those of these files that are known, and whether each is racy."""
        marks = ",".join("?" * len(uris))
        rows = self._db.execute(
            f"SELECT {COLUMNS}, is_racy FROM files WHERE uri IN ({marks})", tuple(uris)
        )
        known = {}
        for *columns, is_racy in rows:
            with suppress(DataError):  # an invalid row counts as missing
                known[columns[0]] = row_of(columns), bool(is_racy)
        return known

    def put(self, rows: Iterable[ManifestRow], *, racy_after: int | None, run: int) -> int:
        """Write files in the place of what was known of them, and return how many.

        Args:
            rows: The files.
            racy_after: What changed later than this, nanoseconds since 1970, may have changed
                again without a trace; None where nothing is racy.
            run: Number of the run that listed them.
        """
        values = [
            (
                row.uri,
                row.size_bytes,
                row.mtime_ns,
                row.media_id,
                None if row.kind is None else str(row.kind),
                str(row.status),
                row.error_type,
                row.message,
                racy_after is not None and (row.mtime_ns is None or row.mtime_ns > racy_after),
                run,
            )
            for row in rows
        ]
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
        )
        return len(values)

    def mark_listed(self, rows: Iterable[ManifestRow], *, run: int) -> None:
        """Note that a run listed these files."""
        self._db.executemany(
            "UPDATE files SET run = ? WHERE uri = ?", [(run, row.uri) for row in rows]
        )

    def probe_too_large_again(self) -> None:
        """Let files that were too large be probed again."""
        self._db.execute("UPDATE files SET is_racy = 1 WHERE status = ?", (str(Status.TOO_LARGE),))

    def mark_failed(self, uri: str, *, status: str, message: str) -> None:
        """Note why nothing is known of a file now; the next run probes it again."""
        self._db.execute(
            "UPDATE files SET status = ?, error_type = NULL, message = ?, is_racy = 1 "
            "WHERE uri = ?",
            (status, message, uri),
        )

    def mark_vanished(self, uris: Iterable[str], *, message: str) -> None:
        """Note that files are no longer there."""
        self._db.executemany(
            "UPDATE files SET status = ?, error_type = NULL, message = ?, size_bytes = NULL "
            "WHERE uri = ?",
            [(str(Status.VANISHED), message, uri) for uri in uris],
        )

    def not_listed_by(self, run: int) -> list[tuple[str, str | None]]:
        """Return uri and media_id of the files of the folder that a run did not list."""
        return self._db.execute(
            f"SELECT uri, media_id FROM files WHERE run < ? AND status != ? AND {BELOW}",
            (run, str(Status.VANISHED), *bounds(self._folder)),
        ).fetchall()

    def one_of(self, media_id: str) -> ManifestRow | None:
        """Return a usable file with this content; None where there is none."""
        found = self._db.execute(
            f"SELECT {COLUMNS} FROM files WHERE media_id = ? AND status = 'ok' LIMIT 1",
            (media_id,),
        ).fetchone()
        return None if found is None else row_of(found)

    def names_of(self, media_ids: Iterable[str]) -> list[tuple[str, str]]:
        """Return uri and media_id of all files that have one of these contents."""
        found: list[tuple[str, str]] = []
        for media_id in media_ids:
            rows = self._db.execute(
                "SELECT uri, media_id FROM files WHERE media_id = ? AND status = 'ok'", (media_id,)
            )
            found += [(str(uri), str(found_id)) for uri, found_id in rows]
        return found

    def count(self, *, excluding: Status | None = None) -> int:
        """Return how many files of the folder are known.

        Args:
            excluding: A status whose files do not count; None where all do.
        """
        (count,) = self._db.execute(
            f"SELECT count(*) FROM files WHERE status IS NOT ? AND {BELOW}",
            (None if excluding is None else str(excluding), *bounds(self._folder)),
        ).fetchone()
        return int(count)

    def count_waiting(self, version: str) -> int:
        """Return how many usable files of the folder have no score of a version."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM files WHERE status = 'ok' AND {BELOW} AND NOT EXISTS "
            "(SELECT 1 FROM scored WHERE version = ? AND scored.media_id = files.media_id)",
            (*bounds(self._folder), version),
        ).fetchone()
        return int(count)


def is_as_probed(listed: ManifestRow, known: ManifestRow) -> bool:
    """Return whether a file is as it was when it was probed, and probing would say the same."""
    is_final = known.media_id is not None and known.status in _FINAL
    return is_final and (listed.size_bytes, listed.mtime_ns) == (known.size_bytes, known.mtime_ns)


def is_same_in_tables(old: ManifestRow, new: ManifestRow) -> bool:
    """Return whether the tables would say the same of a file."""

    def shown(row: ManifestRow) -> tuple[Any, ...]:
        return row.media_id, row.kind, row.status, row.error_type, row.message

    return shown(old) == shown(new)


def log_failure(row: ManifestRow) -> None:
    """Write a file with an unexpected status to the log."""
    if row.status not in EXPECTED_STATUSES:
        log_event(
            "file failed",
            media_id=row.media_id,
            uri=row.uri,
            status=str(row.status),
            error_type=row.error_type,
            message=row.message,
        )
