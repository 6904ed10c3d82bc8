"""Query and change the parts of a state, and which contents each of them holds scores of."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from deepfake.scoring.parts import Part
from deepfake.types import Status

__all__ = ["KnownParts"]


class KnownParts:
    """The parts of one version; whoever calls sees to it that changes are written together.

    Args:
        db: The state's.
        version: Digest of detector and settings.
    """

    def __init__(self, db: sqlite3.Connection, *, version: str) -> None:
        self._db = db
        self._version = version

    def run_numbers(self) -> dict[str, int]:
        """Return the run that wrote each part, by its key."""
        return dict(
            self._db.execute("SELECT part, number FROM parts WHERE version = ?", (self._version,))
        )

    def statuses(self, media_ids: Sequence[str]) -> dict[str, str]:
        """Return the outcome of those of these contents that have one."""
        marks = ",".join("?" * len(media_ids))
        return dict(
            self._db.execute(
                f"SELECT media_id, status FROM scored WHERE version = ? AND media_id IN ({marks})",
                (self._version, *media_ids),
            )
        )

    def claim(self, media_id: str) -> bool:
        """Let this run score a content, and return whether it was not claimed before."""
        done = self._db.execute("INSERT OR IGNORE INTO claimed VALUES (?)", (media_id,))
        return bool(done.rowcount)

    def unclaim(self, media_id: str) -> None:
        """Let a content be claimed again in this run."""
        self._db.execute("DELETE FROM claimed WHERE media_id = ?", (media_id,))

    def note(self, part: Part) -> None:
        """Note a part; its scores supersede those of others of the same contents."""
        self._db.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?)",
            (self._version, part.key, part.run_number),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO scored VALUES (?, ?, ?, ?)",
            [(self._version, media_id, part.key, status) for media_id, status in part.media],
        )

    def drop(self, name: str) -> bool:
        """Delete a part, and return whether any of its scores was in use."""
        where = (self._version, name)
        gone = self._db.execute("DELETE FROM scored WHERE version = ? AND part = ?", where)
        self._db.execute("DELETE FROM parts WHERE version = ? AND part = ?", where)
        return bool(gone.rowcount)

    def drop_status(self, status: Status) -> bool:
        """Delete all scores with a status, and return whether there were any."""
        where = (self._version, str(status))
        gone = self._db.execute("DELETE FROM scored WHERE version = ? AND status = ?", where)
        return bool(gone.rowcount)

    def unused(self) -> list[str]:
        """Return the parts whose every score was superseded."""
        live = self._live()
        return [name for name in self.run_numbers() if name not in live]

    def small(self, *, below: int) -> list[Part]:
        """Return the parts with few scores that hold, and no others, sorted by key.

        Args:
            below: Media that a part must not reach.
        """
        small = sorted(name for name, count in self._live().items() if count < below)
        media: dict[str, list[tuple[str, str]]] = {name: [] for name in small}
        rows = self._db.execute(
            "SELECT part, media_id, status FROM scored WHERE version = ? ORDER BY media_id",
            (self._version,),
        )
        for name, media_id, status in rows if small else ():
            if name in media:
                media[name].append((media_id, status))
        run_numbers = self.run_numbers()
        return [Part(name, run_numbers.get(name, 0), tuple(media[name])) for name in small]

    def _live(self) -> dict[str, int]:
        """Return the number of current scores of each part."""
        # One pass: a question for each part would look through all scores each time.
        return dict(
            self._db.execute(
                "SELECT part, count(*) FROM scored WHERE version = ? GROUP BY part",
                (self._version,),
            )
        )
