"""Stop gracefully on Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deepfake.compute.processes.stop import (
    end_process,
    exit_code_of,
    print_stopped,
    stop_on_signals,
    stop_signal,
)

__all__ = ["end_if_stopped", "set_on_interrupt", "stop_command_on_signals"]

_AGAIN = "Stopped; run the same command again to go on."
_RESUME = "Stopped; run the same command with --resume to go on from the last finished epoch."
_SENTENCES = {
    "demo": _AGAIN,
    "report": _AGAIN,
    "ingest": _AGAIN,
    "retrain": _AGAIN,
    "score": _AGAIN,
    "sweep": _AGAIN,
    "forget": _AGAIN,
    "up": _AGAIN,
    "train": _RESUME,
}
_OTHERS = "Stopped before it was done."


def stop_command_on_signals() -> None:
    """Let Ctrl-C and SIGTERM stop the command within seconds, and a second one at once."""
    stop_on_signals(sentence=_sentence())


def end_if_stopped(error: BaseException) -> None:
    """End the process, with a sentence and the exit code of the signal, if one has stopped it.

    Args:
        error: What the command ended with.
    """
    number = stop_signal()
    if number is None:
        return
    code = exit_code_of(number)
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        code = error.code  # of a command that has done what it was asked when it is stopped
    else:
        print_stopped()
    # Without exit handlers: Prefect's would look for its server.
    end_process(code)


def _sentence() -> str:
    command = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    return _SENTENCES.get(command, _OTHERS)


@contextmanager
def set_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end a loop after its present round, the second at once.

    Args:
        stop: Set by the first.
    """

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            end_process(exit_code_of(number), patience_seconds=0.0)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
