"""A window on the screen, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Event
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.errors import ConfigError
from deepfake.webcam.drawing import draw_look, draw_problem
from deepfake.webcam.session import Look

__all__ = ["Window", "check_display"]

_TITLE = "deepfake webcam (q or Esc ends it)"
_QUIT_KEYS = frozenset({27, ord("q"), ord("Q")})
_TRY = (
    "import cv2; cv2.namedWindow('deepfake', cv2.WINDOW_NORMAL); cv2.waitKey(1); "
    "cv2.destroyAllWindows()"
)
_TRY_SECONDS = 30.0
_HINT = "Use --headless, with --record or --jsonl to keep what is seen."

Pixels = NDArray[np.uint8]


def check_display() -> None:
    """Check that a window can be opened here.

    A child process tries it: where there is no screen, the library behind OpenCV ends the process.

    Raises:
        ConfigError: It cannot.
    """
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        raise ConfigError("there is no display to open a window on", hint=_HINT)
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRY],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRY_SECONDS,
            check=False,
        )
        is_fine = tried.returncode == 0
    except subprocess.TimeoutExpired:
        is_fine = False
    if not is_fine:
        raise ConfigError("no window can be opened on the display", hint=_HINT)


class Window:
    """Shows what is seen; use it in a `with` block, or close it.

    Args:
        stop: Set when the user presses q or Esc, or closes the window.

    Raises:
        ConfigError: No window can be opened.
    """

    def __init__(self, stop: Event) -> None:
        check_display()
        self._stop = stop
        self._last: Pixels | None = None
        self._was_visible = False
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def add(self, look: Look) -> None:
        """Show a frame."""
        is_first = self._last is None
        self._last = draw_look(look)
        if is_first:
            cv2.resizeWindow(_TITLE, look.frame.width, look.frame.height)
        self._show(self._last)

    def idle(self, problem: str | None) -> None:
        """Keep the window alive."""
        if problem is None:
            self._watch_keys()
        else:
            blank = np.zeros((480, 640, 3), np.uint8)
            self._show(draw_problem(blank if self._last is None else self._last, problem))

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()

    def _show(self, pixels: Pixels) -> None:
        if self._is_closed():
            self._stop.set()
            return
        cv2.imshow(_TITLE, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        self._watch_keys()

    def _watch_keys(self) -> None:
        # Events of the window are worked on in here only.
        if cv2.waitKey(1) & 0xFF in _QUIT_KEYS or self._is_closed():
            self._stop.set()

    def _is_closed(self) -> bool:
        is_visible = bool(cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1)
        self._was_visible = self._was_visible or is_visible
        # A new window takes a moment to come up.
        return self._was_visible and not is_visible

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
