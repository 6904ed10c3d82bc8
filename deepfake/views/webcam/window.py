"""The window that shows the live results."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO

import cv2
import numpy as np

from deepfake.errors import ConfigError
from deepfake.types import Pixels
from deepfake.views.webcam import window_process
from deepfake.views.webcam.overlay import draw_problem, draw_result
from deepfake.views.webcam.session import FrameResult

__all__ = ["Window", "check_display"]

_TITLE = "deepfake webcam (q or Esc ends it)"
_CHILD = "import runpy, sys; runpy.run_path(sys.argv[1])['main']()"
_OPEN_SECONDS, _CLOSE_SECONDS = 60.0, 5.0
_HINT = "Use --headless, with --record or --jsonl to save the results."


def check_display() -> None:
    """Check that there is a display; whether a window can be opened on it is found out later.

    Raises:
        ConfigError: There is none.
    """
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        raise ConfigError("there is no display to open a window on", hint=_HINT)


class Window:
    """Shows the results in a window, from a child process; close it after use.

    Args:
        stop: Set when the user presses q or Esc, or closes the window.

    Raises:
        ConfigError: No window can be opened.
    """

    def __init__(self, stop: Event) -> None:
        check_display()
        self._stop = stop
        self._last: Pixels = np.zeros((480, 640, 3), np.uint8)
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, str(Path(window_process.__file__)), _TITLE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._frames = self._child.stdin
        self._is_ready = Event()
        self._is_gone = Event()
        self._listener = Thread(target=self._listen, args=(self._child.stdout,), daemon=True)
        self._listener.start()
        if not self._opens():
            self.close()
            raise ConfigError("no window can be opened on the display", hint=_HINT)

    def _opens(self) -> bool:
        """Wait until the window is open; return False if its process ends without opening it."""
        waited = 0.0
        while waited < _OPEN_SECONDS and not self._is_gone.is_set():
            if self._is_ready.wait(0.1):
                return True
            waited += 0.1
        return self._is_ready.is_set()

    def _listen(self, messages: IO[bytes]) -> None:
        for line in messages:
            if line.strip() == b"ready":
                self._is_ready.set()
            else:
                self._stop.set()
        self._is_gone.set()
        if self._is_ready.is_set():
            self._stop.set()  # the window is gone, whatever ended it

    def add(self, result: FrameResult) -> None:
        """Show a frame."""
        self._last = draw_result(result)
        self._show(self._last)

    def idle(self, problem: str | None) -> None:
        """Show why there are no frames, if that is known."""
        if problem is not None:
            self._show(draw_problem(self._last, problem))

    def close(self) -> None:
        """Close the window."""
        with suppress(OSError):  # the window's process may be gone
            self._frames.close()
        try:
            self._child.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._listener.join()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _show(self, pixels: Pixels) -> None:
        bgr = np.ascontiguousarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        try:
            self._frames.write(window_process.HEADER.pack(*bgr.shape[:2]))
            self._frames.write(bgr.data)
            self._frames.flush()
        except OSError:  # the window's process is gone
            self._stop.set()
