"""Keep a new database of a Prefect server, so that the next data root gets a copy.

Prefect makes one by running all of its migrations, which takes seconds. What is kept holds tables
and no rows but the version of the schema.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from deepfake.storage import cache_folder

__all__ = ["place_new_database"]

_OTHER_DATABASE = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
"""How the settings begin that name another database, or say how it is made."""


def place_new_database(home: Path) -> Path | None:
    """Copy the kept database into the home of a Prefect server that has none yet.

    Args:
        home: `PREFECT_HOME`.

    Returns:
        Where the server that starts now shall keep a copy of its new database; None if it shall
        not.
    """
    database = home / "prefect.db"
    if database.exists() or any(name.startswith(_OTHER_DATABASE) for name in os.environ):
        return None
    kept = cache_folder() / "prefect" / f"{version('prefect')}.db"
    if not kept.is_file():
        return kept
    # It is replaced, never changed: no lock and no journal are made beside it.
    frozen = f"{kept.absolute().as_uri()}?immutable=1"
    temporary = database.with_name(f".{database.name}.{uuid.uuid4().hex[:8]}")
    try:
        with (
            closing(sqlite3.connect(frozen, uri=True)) as source,
            closing(sqlite3.connect(temporary)) as copy,
        ):
            source.backup(copy)
        # Another command may have been quicker: its database stays.
        os.link(temporary, database)
    except FileExistsError:
        return None
    except (OSError, sqlite3.Error):
        return kept  # damaged, or no copy can be made here: Prefect makes a new one
    finally:
        temporary.unlink(missing_ok=True)
    return None
