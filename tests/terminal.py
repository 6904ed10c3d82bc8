"""Run the command on a terminal of its own, and press keys there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.command_line import product_environment

__all__ = ["Terminal", "on_terminal"]

_MARK = "DEEPFAKE_TEST_TERMINAL"


class Terminal:
    """A command that runs in the foreground of a terminal.

    Args:
        process: The command.
        keyboard: The terminal's other side.
        mark: Stands in the environment of the command and of all that it starts.
    """

    def __init__(self, process: subprocess.Popen[bytes], *, keyboard: int, mark: str) -> None:
        self.process = process
        self._keyboard = keyboard
        self._mark = mark
        self._shown = bytearray()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # An error says that nobody has the terminal open any more.
        with contextlib.suppress(OSError):
            while chunk := os.read(self._keyboard, 65536):
                self._shown += chunk

    @property
    def shown(self) -> str:
        """What the terminal has shown so far."""
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C: SIGINT to every process of the terminal's foreground group."""
        os.write(self._keyboard, b"\x03")

    def wait_until(self, is_so: Callable[[], bool], *, seconds: float = 900.0) -> None:
        """Wait, and fail if it takes too long or the command ends."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, self.shown
            assert time.monotonic() < deadline, f"not within {seconds:g} s\n{self.shown}"
            time.sleep(0.05)

    def seconds_to_end(self, *, seconds: float = 120.0) -> float:
        """Wait for the command's end, and return how long it took."""
        began = time.monotonic()
        self.process.wait(seconds)
        return time.monotonic() - began

    def left_running(self, *, patience_seconds: float = 2.0) -> list[str]:
        """Return the command lines of processes that the command has left."""
        deadline = time.monotonic() + patience_seconds
        while (left := list(self._own())) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _own(self) -> Iterator[str]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                is_own = process.environ().get(_MARK) == self._mark
                if is_own and process.status() != psutil.STATUS_ZOMBIE:
                    yield " ".join(process.cmdline())

    def kill_all(self) -> None:
        """Kill the command and all that it started."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark:
                    process.kill()
        self.process.wait(20)


@contextmanager
def on_terminal(
    *arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run the command line on a terminal; whatever is left of it is killed at the end.

    Args:
        arguments: After `deepfake`.
        cwd: Where.
        environment: Instead of `product_environment()`.
    """
    keyboard, screen = pty.openpty()
    mark = uuid.uuid4().hex
    given = product_environment() if environment is None else environment
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake", *map(str, arguments)],
        cwd=cwd,
        env={**given, _MARK: mark, "TERM": "xterm", "COLUMNS": "120"},
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(screen)
    terminal = Terminal(process, keyboard=keyboard, mark=mark)
    try:
        yield terminal
    finally:
        terminal.kill_all()
        os.close(keyboard)


def _take_terminal() -> None:
    # An interactive shell has its jobs in the foreground, with the default for Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
