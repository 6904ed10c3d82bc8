"""The child process that shows the window. It imports OpenCV and not PyAV.

PyAV and OpenCV each bundle display libraries, and once PyAV is loaded, opening a window hangs or
kills the process. So the parent sends frames over standard input: height and width, then raw
pixels. The child prints `ready` when the window is open and `quit` when the user closes it, and
ends when its input ends.
"""

from __future__ import annotations

import signal
import struct
import sys
import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HEADER", "main"]

HEADER = struct.Struct(">II")
"""Height and width, pixels; (H, W, 3) BGR uint8 follow."""

_QUIT_KEYS = frozenset({27, ord("q"), ord("Q")})
_WAIT_MS = 10


class _Newest:
    """The newest frame that was received."""

    def __init__(self) -> None:
        self.frame: NDArray[np.uint8] | None = None
        self.is_ended = False

    def read(self, stream: Any) -> None:
        """Receive frames until the input ends."""
        while len(header := stream.read(HEADER.size)) == HEADER.size:
            height, width = HEADER.unpack(header)
            data = stream.read(height * width * 3)
            if len(data) < height * width * 3:
                break
            self.frame = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        self.is_ended = True


def main() -> None:
    """Show frames until the input ends or the user quits; the last argument is the title."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the input
    title = sys.argv[-1]
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    cv2.waitKey(1)
    print("ready", flush=True)
    newest = _Newest()
    threading.Thread(target=newest.read, args=(sys.stdin.buffer,), daemon=True).start()
    if _show(newest, title):
        print("quit", flush=True)


def _show(newest: _Newest, title: str) -> bool:
    """Show the newest frame until the input ends; return whether the user quit before."""
    shown: NDArray[np.uint8] | None = None
    was_visible = False
    while not newest.is_ended:
        frame = newest.frame
        if frame is not None and frame is not shown:
            if shown is None:
                cv2.resizeWindow(title, frame.shape[1], frame.shape[0])
            cv2.imshow(title, frame)
            shown = frame
        if cv2.waitKey(_WAIT_MS) & 0xFF in _QUIT_KEYS:
            return True
        is_visible = cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
        # A new window takes a moment to come up.
        if was_visible and not is_visible:
            return True
        was_visible = was_visible or is_visible
    return False
