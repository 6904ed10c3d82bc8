"""The schema of state.sqlite, and opening it to write or to read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DataError
from deepfake.types import Kind, Status

__all__ = [
    "BELOW",
    "COLUMNS",
    "LIMITS",
    "bounds",
    "connect",
    "limits_key",
    "read_state",
    "row_of",
    "tables_key",
    "tables_value",
    "translate_sqlite_errors",
]

_SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    uri TEXT PRIMARY KEY,
    size_bytes INTEGER,
    mtime_ns INTEGER,
    media_id TEXT,
    kind TEXT,
    status TEXT NOT NULL,
    error_type TEXT,
    message TEXT,
    is_racy INTEGER NOT NULL,
    run INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_of_medium ON files (media_id);
CREATE TABLE IF NOT EXISTS scored (
    version TEXT NOT NULL,
    media_id TEXT NOT NULL,
    part TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (version, media_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
    version TEXT NOT NULL,
    part TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (version, part)
) WITHOUT ROWID;
CREATE TEMP TABLE claimed (media_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


COLUMNS = "uri, size_bytes, mtime_ns, media_id, kind, status, error_type, message"
"""Of `files`, what listing and probing said."""
BELOW = "(uri = ? OR (uri > ? AND uri < ?))"
"""The condition on `uri` for all files of a folder."""


LIMITS = "limits"
"""Note of how large a medium may be, JSON."""


def limits_key(version: str) -> str:
    """Return the key of the limits that the scores of a version were made under."""
    return f"limits {version}"


def tables_key(version: str) -> str:
    """Return the key of what the tables of a version hold."""
    return f"written {version}"


def tables_value(changes: int, *, folder: str) -> str:
    """Return the value under that key of tables that hold all that is known.

    Args:
        changes: How often that has changed.
        folder: URI of the folder that is scored.
    """
    return f"{changes} {folder}"


def bounds(folder: str) -> tuple[str, str, str]:
    """Return the values of `BELOW` for a folder."""
    # "0" is the character after "/": everything between begins with the folder and a slash.
    base = folder.rstrip("/")
    return folder, f"{base}/", f"{base}0"


def row_of(columns: Sequence[Any]) -> ManifestRow:
    """Return a file as it is noted.

    Args:
        columns: Those of `COLUMNS`.

    Raises:
        DataError: They make no sense.
    """
    uri, size_bytes, mtime_ns, media_id, kind, status, error_type, message = columns
    texts = (media_id, error_type, message)
    numbers = (size_bytes, mtime_ns)
    try:
        if not all(value is None or isinstance(value, str) for value in texts):
            raise ValueError("a number where text belongs")
        if not all(value is None or isinstance(value, int) for value in numbers):
            raise ValueError("text where a number belongs")
        return ManifestRow(
            uri=uri,
            corpus="media",
            media_id=media_id,
            kind=None if kind is None else Kind(kind),
            size_bytes=size_bytes,
            mtime_ns=mtime_ns,
            status=Status(status),
            error_type=error_type,
            message=message,
        )
    except ValueError as error:
        raise DataError(
            f"the recorded state of a file is invalid ({error})",
            path=str(uri),
            hint="Remove state.sqlite from the output: the next run builds it again.",
        ) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the file to write, and make it where it is not there or cannot be made out.

    Raises:
        DataError: It cannot be written, or is of another version of this program.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path)
    except sqlite3.OperationalError as error:  # a full disk, no right to write
        raise DataError(f"the state of the scores cannot be used ({error})", path=path) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # the second: what it says of the first
        # All of it can be found out again, at the cost of hashing every file.
        path.replace(path.with_suffix(".damaged"))
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60.0, check_same_thread=False)
    db.text_factory = _text_of
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _SCHEMA_VERSION):
            raise DataError(
                f"written by another version of this program (schema {version})",
                path=path,
                hint="Use that version, or name another output folder.",
            )
        (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if result != "ok":
            raise sqlite3.DatabaseError(result)
        if version == _SCHEMA_VERSION and _layout(db) != _own_layout():
            raise sqlite3.DatabaseError("its tables are not those of this program")
        db.execute("PRAGMA journal_mode = WAL")
        # A commit survives a power cut: each is a part of about a minute's work.
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_TABLES)
        db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _text_of(data: bytes) -> str:
    # SQLite keeps whatever bytes it was given or has become of them.
    return data.decode("utf-8", "replace")


def _layout(db: sqlite3.Connection) -> set[tuple[Any, ...]]:
    return set(db.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_schema"))


def _own_layout() -> set[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_TABLES)
        return _layout(db)


@contextmanager
def translate_sqlite_errors() -> Iterator[None]:
    """Turn an error of SQLite into a `DataError`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DataError(
            f"the state of the scores cannot be written ({error})",
            hint="Run again once that is repaired: what was finished is kept.",
        ) from error


@contextmanager
def read_state(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads, beside whatever run is at work.

    Raises:
        DataError: There is no state, or it cannot be read.
    """
    if not path.is_file():
        raise DataError("no state of scores is there", path=path)
    try:
        db = _open_reading(path)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        raise DataError(f"the state of the scores cannot be read ({error})", path=path) from error


def _open_reading(path: Path) -> sqlite3.Connection:
    base = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(base, uri=True, timeout=10.0)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        db.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # In a folder that may not be written to there is no place for SQLite's own files, and,
        # with no run at work, no need of them.
        db = sqlite3.connect(f"{base}&immutable=1", uri=True)
        (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != _SCHEMA_VERSION:
        db.close()
        raise DataError(f"written by another version of this program (schema {version})", path=path)
    return db
