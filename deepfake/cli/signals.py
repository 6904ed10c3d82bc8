"""Stop gracefully on Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["set_on_interrupt"]


@contextmanager
def set_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end a loop after its present round, the second at once.

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
