"""The process of a temporary Prefect server: it serves a socket that it inherits.

It ends when its standard input does: however the command that started it ended.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

import uvicorn
from prefect.server.api.server import create_app

_GRACE_SECONDS = 2
"""For requests that are under way when it is stopped."""


def main() -> None:
    """Serve until SIGTERM, or until the input ends; the argument is the socket's descriptor."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(
        # Without the page, and without the services for deployments and schedules.
        create_app(ephemeral=True, final=True),
        lifespan="on",
        log_level="error",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
