"""Stop a command within seconds on Ctrl-C, SIGTERM or the end of its terminal.

The first signal raises `StopRequested` in the main thread, so that locks, records and temporary
files are put right on the way out. What waits in other threads is released by callbacks. Native
code that does not return, or a lock that nobody gives back, is not waited for: after a few seconds
all children are killed and the process ends. A second signal ends it at once.

Nothing but the standard library is imported: every command begins here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = [
    "SENTENCE",
    "StopRequested",
    "call_before_forced_exit",
    "call_when_stopping",
    "end_process",
    "exit_code_of",
    "is_stopping",
    "print_stopped",
    "stop_on_signals",
    "stop_signal",
]

SENTENCE = "Stopped before it was done."

_LATE_SECONDS = 3.0
"""After the first signal; with what is left to do then, the prompt is back within five seconds."""
_LAST_CALLS_SECONDS = 0.7
_CHILDREN_SECONDS = 0.5
_SHOW_CURSOR = "\x1b[?25h"
"""A progress bar hides the cursor (ECMA-48, DECTCEM)."""


class StopRequested(BaseException):
    """Ctrl-C or SIGTERM: the command is to end.

    No `Exception`, so that nobody takes it for a failure that can be handled; no
    `KeyboardInterrupt`, which Lightning and Click turn into exits of their own.
    """


@dataclass
class _Stop:
    """What is known of the stop of this process."""

    owner: int = 0
    sentence: str = SENTENCE
    number: int | None = None
    is_said: threading.Lock = field(default_factory=threading.Lock)
    at_request: list[Callable[[], object]] = field(default_factory=list)
    before_forced_exit: list[Callable[[], object]] = field(default_factory=list)


_stop = _Stop()


def stop_on_signals(*, sentence: str = SENTENCE) -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP stop this process; called by its main thread.

    Args:
        sentence: Printed where the process has to be ended the hard way.
    """
    _stop.owner, _stop.sentence, _stop.number = os.getpid(), sentence, None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` ignores the last one.
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, _handle)


def is_stopping() -> bool:
    """Return whether a stop was requested: nothing is worth beginning or trying again."""
    return _stop.number is not None


def stop_signal() -> int | None:
    """Return the signal that requested the stop; None where there was none."""
    return _stop.number


def exit_code_of(number: int) -> int:
    """Return the exit code of a command that a signal stopped, as shells have it.

    Example:
        >>> exit_code_of(signal.SIGINT), exit_code_of(signal.SIGTERM)
        (130, 143)
    """
    return 128 + number


@contextmanager
def call_when_stopping(callback: Callable[[], object]) -> Iterator[None]:
    """Call something as soon as a stop is requested, in a thread of its own.

    Args:
        callback: Releases whoever waits; does not wait itself.
    """
    with _listed(_stop.at_request, callback):
        yield


@contextmanager
def call_before_forced_exit(callback: Callable[[], object]) -> Iterator[None]:
    """Call something in a thread of its own before the process is forced to exit.

    Args:
        callback: Has some tenths of a second.
    """
    with _listed(_stop.before_forced_exit, callback):
        yield


@contextmanager
def _listed(callbacks: list[Callable[[], object]], one: Callable[[], object]) -> Iterator[None]:
    callbacks.append(one)
    try:
        yield
    finally:
        callbacks.remove(one)


def _handle(number: int, _frame: object) -> None:
    if os.getpid() != _stop.owner:
        # A fork that has inherited the handler: as if there was none.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    if _stop.number is not None:
        end_process(exit_code_of(number), patience_seconds=0.0)
    _stop.number = number
    threading.Thread(target=_end_late, args=(number,), name="stop", daemon=True).start()
    raise StopRequested


def _end_late(number: int) -> None:
    began = time.monotonic()
    _call(_stop.at_request)
    time.sleep(max(0.0, _LATE_SECONDS - (time.monotonic() - began)))
    late = _call(_stop.before_forced_exit)
    deadline = time.monotonic() + _LAST_CALLS_SECONDS
    for thread in late:
        thread.join(max(0.0, deadline - time.monotonic()))
    print_stopped()
    end_process(exit_code_of(number), patience_seconds=0.0)


def print_stopped() -> None:
    """Print the sentence, once, whichever thread ends the process."""
    if _stop.is_said.acquire(blocking=False):
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(_stop.sentence, file=sys.stderr)


def _call(callbacks: list[Callable[[], object]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=_quietly, args=(one,), daemon=True) for one in callbacks[:]]
    for thread in threads:
        thread.start()
    return threads


def _quietly(callback: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        callback()


def end_process(code: int, *, patience_seconds: float = _CHILDREN_SECONDS) -> None:
    """End this process and all that it started, without waiting for threads or exit handlers.

    Args:
        code: The exit code.
        patience_seconds: What children are given between SIGTERM and SIGKILL.
    """
    import psutil

    children = psutil.Process().children(recursive=True)
    if patience_seconds:
        _signal(children, signal.SIGTERM)
        _, children = psutil.wait_procs(children, timeout=patience_seconds)
    _signal(children, signal.SIGKILL)
    with contextlib.suppress(Exception):
        if sys.stderr.isatty():
            sys.stderr.write(_SHOW_CURSOR)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    os._exit(code)


def _signal(processes: list, number: int) -> None:  # type: ignore[type-arg]
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
