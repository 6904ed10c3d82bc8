"""Count, query and delete media in a state."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Set
from pathlib import Path

from deepfake.scoring.parts import Part
from deepfake.scoring.state.schema import connect, read_state, translate_sqlite_errors

__all__ = ["count_media", "forget_media", "names_and_contents"]


def count_media(path: Path, *, media_ids: Set[str], uris: Set[str]) -> int:
    """Return how much of what is known is of some media: files, scores, the folder's name.

    Args:
        path: The state.
        media_ids: The contents.
        uris: Names under which they were.
    """
    with read_state(path) as db:
        count = 0
        for media_id in media_ids:
            for table in ("files", "scored"):
                where = f"SELECT count(*) FROM {table} WHERE media_id = ?"
                count += int(db.execute(where, (media_id,)).fetchone()[0])
        for uri in uris:
            for where in (
                "SELECT count(*) FROM files WHERE uri = ? AND media_id IS NULL",
                "SELECT count(*) FROM meta WHERE value = ?",
            ):
                count += int(db.execute(where, (uri,)).fetchone()[0])
        return count


def names_and_contents(path: Path, *, media_ids: Set[str], uris: Set[str]) -> set[tuple[str, str]]:
    """Return uri and media_id of the files that have one of these contents or names.

    Args:
        path: The state.
        media_ids: Contents.
        uris: Names.
    """
    found: set[tuple[str, str]] = set()
    with read_state(path) as db:
        for column, values in (("media_id", media_ids), ("uri", uris)):
            for value in values:
                found |= set(
                    db.execute(
                        f"SELECT uri, media_id FROM files WHERE {column} = ? "
                        "AND media_id IS NOT NULL",
                        (value,),
                    ).fetchall()
                )
    return found


def forget_media(
    path: Path,
    *,
    media_ids: Set[str],
    uris: Set[str],
    replaced: Mapping[tuple[str, str], Part | None],
) -> None:
    """Delete media from the state, so that their bytes are gone from it too.

    Args:
        path: The state.
        media_ids: The contents; all their names go.
        uris: Names under which they were; those of them that have no content go too.
        replaced: By version and key, the part that stands for an old one; None for none.
    """
    db = connect(path)
    try:
        with translate_sqlite_errors():
            db.execute("PRAGMA secure_delete = ON")
            with db:
                for (version, key), part in replaced.items():
                    _replace_part(db, version, key, part)
                for media_id in media_ids:
                    db.execute("DELETE FROM scored WHERE media_id = ?", (media_id,))
                    db.execute("DELETE FROM files WHERE media_id = ?", (media_id,))
                for uri in uris:
                    db.execute("DELETE FROM files WHERE uri = ? AND media_id IS NULL", (uri,))
                    # Where a single file was scored, it is the folder too.
                    db.execute("DELETE FROM meta WHERE value = ?", (uri,))
                    db.execute(
                        "DELETE FROM meta WHERE name = 'progress' "
                        "AND json_extract(value, '$.folder') = ?",
                        (uri,),
                    )
                # No table holds all that is known now: who is killed before they are written anew
                # finds them due.
                db.execute("DELETE FROM meta WHERE name LIKE 'written %'")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


def _replace_part(db: sqlite3.Connection, version: str, key: str, part: Part | None) -> None:
    where = (version, key)
    if part is None:
        db.execute("DELETE FROM scored WHERE version = ? AND part = ?", where)
    else:
        db.execute("UPDATE scored SET part = ? WHERE version = ? AND part = ?", (part.key, *where))
        db.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", (version, part.key, part.run_number)
        )
    db.execute("DELETE FROM parts WHERE version = ? AND part = ?", where)
