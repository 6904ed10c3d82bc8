"""Ending what would go on for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["set_on_interrupt"]


@contextmanager
def set_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end the loop after its round, and the second end it at once.

    Args:
        stop: Set by the first.
    """

    def handle(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
