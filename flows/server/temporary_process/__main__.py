"""The process of a temporary Prefect server: it serves a socket that it inherits.

Where it makes a new database, it keeps a copy for the next data root before anything is in it. It
ends when its standard input does: however the command that started it ended.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sqlite3
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn

_GRACE_SECONDS = 2
"""For requests that are under way when it is stopped."""


def main() -> None:
    """Serve until SIGTERM, or until the input ends.

    Arguments: the socket's descriptor, and where a copy of a new database is kept, if one shall be.
    """
    threading.Thread(target=_end_with_input, daemon=True).start()
    # The collector would look through all that importing makes, again and again: nothing of it is
    # garbage.
    gc.disable()
    server = _create_server()
    gc.freeze()
    gc.enable()
    if len(sys.argv) > 2:
        _keep_new_database(Path(sys.argv[2]))
    server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


def _create_server() -> uvicorn.Server:
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(
        # Without the page, and without the services for deployments and schedules.
        create_app(ephemeral=True, final=True),
        lifespan="on",
        log_level="error",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)


def _keep_new_database(kept: Path) -> None:
    from prefect.server.database import provide_database_interface
    from prefect.settings import get_current_settings

    asyncio.run(provide_database_interface().create_db())
    temporary = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    database = get_current_settings().home / "prefect.db"
    if not database.is_file():
        return  # a setting names another one
    with suppress(OSError, sqlite3.Error):  # without a copy the next one takes as long as this one
        kept.parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(database)) as source,
            closing(sqlite3.connect(temporary)) as copy,
        ):
            source.backup(copy)
        temporary.replace(kept)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
