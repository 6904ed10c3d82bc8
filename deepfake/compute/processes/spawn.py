"""Start Python processes that Ctrl-C on the terminal does not reach.

They import nothing from the working folder before they have their parent's search path: strangers'
files may lie there.

The terminal sends SIGINT to every process of its foreground group. Whoever started a process ends
it; a process that is still importing would only print a traceback.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

__all__ = ["SPAWN"]


_SAFE_PATH = "PYTHONSAFEPATH"
_starts_one = threading.Lock()
"""Two threads that set and restore the variable at once would leave it set, or delete it twice."""


class _Process(SpawnProcess):
    """A spawned process in which SIGINT is blocked: the mask is inherited."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802
        with _starts_one, _safe_path():
            # Started first: it would unblock the signal again.
            resource_tracker.ensure_running()
            with _sigint_blocked():
                return SpawnProcess._Popen(process_obj)


class _Context(SpawnContext):
    Process = _Process


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _safe_path() -> Iterator[None]:
    """Start Python without the working folder on its search path."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


SPAWN = _Context()
"""A `multiprocessing` context."""
