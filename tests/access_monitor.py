"""Monitor access: which files are opened (inotify), and who connects (a listening socket)."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Listener", "OpenedFiles", "listening", "watching_files"]

_IN_OPEN = 0x20
_IN_NONBLOCK = 0o4000
"""Linux: inotify(7)."""


@dataclass
class OpenedFiles:
    """Counts how often files are opened, by anybody.

    Attributes:
        handle: Of inotify.
    """

    handle: int

    def was_any_opened(self) -> bool:
        """Return whether one was opened since this was asked last."""
        try:
            return bool(os.read(self.handle, 1 << 16))
        except BlockingIOError:
            return False


@contextmanager
def watching_files(paths: Sequence[Path]) -> Iterator[OpenedFiles]:
    """Watch files for being opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(_IN_NONBLOCK)
    try:
        for path in paths:
            if libc.inotify_add_watch(handle, os.fsencode(path), _IN_OPEN) < 0:
                raise OSError(ctypes.get_errno(), "cannot be watched", str(path))
        yield OpenedFiles(handle)
    finally:
        os.close(handle)


@dataclass
class Listener:
    """A host that answers nobody, and remembers who knocked.

    Attributes:
        port: On loopback.
        callers: What each of them said first.
    """

    port: int
    callers: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(server.getsockname()[1])
        thread = threading.Thread(target=_answer, args=(server, listener), daemon=True)
        thread.start()
        yield listener
        # What blocks in accept() is woken by this alone.
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer(server: socket.socket, listener: Listener) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return
        with caller:
            caller.settimeout(1.0)
            try:
                listener.callers.append(caller.recv(200))
            except OSError:
                listener.callers.append(b"")
