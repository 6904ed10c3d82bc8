"""Query the scores in use and the parts that hold them, for tables and comparisons."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.scoring.state.schema import BELOW, COLUMNS, bounds, row_of

__all__ = ["FinishedScores"]

_SCORED_IN = (
    "scored JOIN parts ON parts.version = scored.version AND parts.part = scored.part "
    "WHERE scored.version = ? AND (? IS NULL OR parts.number = ?)"
)
"""Takes the version and twice the run, or None."""

_SCORED_FILES = (
    "files JOIN scored ON scored.version = ? AND scored.media_id = files.media_id "
    f"WHERE files.status = 'ok' AND {BELOW}"
)


class FinishedScores:
    """The scores of one version, and the files of one folder.

    Args:
        db: The state's.
        version: Digest of detector and settings.
        folder: URI of the folder that is scored.
    """

    def __init__(self, db: sqlite3.Connection, *, version: str, folder: str) -> None:
        self._db = db
        self._version = version
        self._folder = folder

    def named_contents(self, *, size: int) -> Iterator[list[tuple[str, str, str]]]:
        """Yield uri, media_id and part of the files of the folder that have scores.

        Args:
            size: Files of a list, at most.
        """
        cursor = self._db.execute(
            "SELECT CAST(uri AS TEXT), CAST(files.media_id AS TEXT), CAST(part AS TEXT) "
            f"FROM {_SCORED_FILES}",
            (self._version, *bounds(self._folder)),
        )
        while rows := cursor.fetchmany(size):
            yield rows

    def used_parts(self) -> list[str]:
        """Return the parts that hold these scores, sorted."""
        found = self._db.execute(
            f"SELECT DISTINCT CAST(part AS TEXT) FROM {_SCORED_FILES} ORDER BY 1",
            (self._version, *bounds(self._folder)),
        )
        return [name for (name,) in found]

    def refused_files(self) -> Iterator[ManifestRow]:
        """Yield the files of the folder that listing or probing refused, sorted by uri."""
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM files WHERE {BELOW} AND status != 'ok' ORDER BY uri",
            bounds(self._folder),
        )
        yield from map(row_of, rows)

    def num_scored_by(self, run: int) -> int:
        """Return how many media have their score from a run."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM {_SCORED_IN}", (self._version, run, run)
        ).fetchone()
        return int(count)

    def iter_scored(self, run: int | None = None) -> Iterator[tuple[str, str]]:
        """Yield media with the parts that their scores are in.

        Args:
            run: Which run's; None for all.
        """
        rows = self._db.execute(
            f"SELECT media_id, scored.part FROM {_SCORED_IN}",
            (self._version, run, run),
        )
        for media_id, part in rows:
            yield str(media_id), str(part)

    def parts_of(self, run: int | None = None) -> list[str]:
        """Return the parts that `iter_scored` names, sorted."""
        rows = self._db.execute(
            f"SELECT DISTINCT scored.part FROM {_SCORED_IN} ORDER BY scored.part",
            (self._version, run, run),
        )
        return [str(part) for (part,) in rows]
