"""Read a source in a thread that holds the newest frame, and reopen the source if it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition, Event, Thread

from deepfake.errors import MediaError
from deepfake.media import ArrivedFrame, Stream

__all__ = ["RETRY_SECONDS", "FrameReader"]

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Wait before each attempt to reopen a lost source; the last value is repeated."""

_JOIN_SECONDS = 1.0
"""A thread that is blocked in a driver for longer is left to end with the process."""


class FrameReader:
    """Reads a source in a thread; `take` returns its newest frame, each frame once.

    Args:
        opened: The open source.
        reopen: Opens it again after it was lost; called for live sources only.
        stop: Ends reading.
        is_dropping: Whether a frame that was not taken is replaced by the next. If not, the source
            waits.
        every: Only every Nth frame is held.
        on_status: Called in the thread with a line of text when the source is lost or reopened.
        retry_seconds: Wait before each attempt to reopen it.

    Attributes:
        problem: Why there are no frames at the moment; None while there are.
    """

    def __init__(
        self,
        opened: Stream,
        *,
        reopen: Callable[[], Stream],
        stop: Event,
        is_dropping: bool = True,
        every: int = 1,
        on_status: Callable[[str], None] = lambda _: None,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self._stream = opened
        self._reopen, self._stop, self._on_status = reopen, stop, on_status
        self._is_dropping, self._every = is_dropping, every
        self._retry_seconds = retry_seconds
        self._changed = Condition()
        self._newest: ArrivedFrame | None = None
        self._is_done = False
        self._error: BaseException | None = None
        self._began: float | None = None
        self._num_before = self._num_arrived = self._num_taken = 0
        self._first_taken = self._last_taken = 0
        self._num_attempts = 0  # since the last frame
        self.problem: str | None = None
        self._thread = Thread(target=self._run, name="frames", daemon=True)

    @property
    def is_ended(self) -> bool:
        """Whether there is nothing more to take."""
        with self._changed:
            return self._is_done and self._newest is None

    @property
    def num_dropped(self) -> int:
        """Frames between the first and the last one taken that were not taken."""
        if not self._num_taken:
            return 0
        return (self._last_taken - self._first_taken) // self._every + 1 - self._num_taken

    def start(self) -> None:
        """Start reading; a second call has no effect."""
        if self._thread.ident is None:
            self._thread.start()

    def take(self, *, timeout_seconds: float) -> ArrivedFrame | None:
        """Return the newest frame that was not taken yet; None if none arrives in time.

        Raises:
            MediaError: The source cannot be read, and is not live.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._is_done, timeout=timeout_seconds
            )
            taken, self._newest = self._newest, None
            self._changed.notify_all()
            if taken is None:
                if self._error is not None:
                    raise self._error
                return None
        self._last_taken = taken.frame.frame_index
        if not self._num_taken:
            self._first_taken = self._last_taken
        self._num_taken += 1
        # A frame that had to wait for `take` is not late.
        return taken if self._is_dropping else replace(taken, arrived_at=time.monotonic())

    def close(self) -> None:
        """End reading and close the source."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS)
        else:
            self._stream.close()

    def _run(self) -> None:
        try:
            while self._read_to_end():
                pass
        except BaseException as error:  # raised by `take`
            self._error = error
        finally:
            with self._changed:
                self._is_done = True
                self._changed.notify_all()

    def _read_to_end(self) -> bool:
        """Read the open source to its end, and return whether it was lost and reopened."""
        stream = self._stream
        try:
            for arrived in stream.frames():
                if not self._hold(arrived, is_live=stream.is_live) or self._stop.is_set():
                    return False
            return False
        except MediaError as error:
            if not stream.is_live:
                raise
            self.problem = f"{error.message}; trying to reopen it"
        finally:
            stream.close()
        self._num_before = self._num_arrived
        return self._reopen_lost()

    def _reopen_lost(self) -> bool:
        lost_at = time.monotonic()
        while True:
            attempt = min(self._num_attempts, len(self._retry_seconds) - 1)
            wait = self._retry_seconds[attempt]
            self._num_attempts += 1
            self._on_status(f"lost: {self.problem}, in {wait:g} s")
            if self._stop.wait(wait):
                return False
            try:
                self._stream = self._reopen()
            except MediaError as error:
                self.problem = f"{error.message}; trying to reopen it"
                continue
            self.problem = None
            self._on_status(f"reopened after {time.monotonic() - lost_at:.0f} s")
            return True

    def _hold(self, arrived: ArrivedFrame, *, is_live: bool) -> bool:
        """Hold a frame until it is taken or replaced; return False if reading has ended."""
        if is_live:
            arrived = self._rebased(arrived)
        if arrived.frame.frame_index % self._every:
            return True
        with self._changed:
            if not self._is_dropping:
                self._changed.wait_for(lambda: self._newest is None or self._stop.is_set())
            if self._stop.is_set():
                return False
            self._newest = arrived
            self._changed.notify_all()
        return True

    def _rebased(self, arrived: ArrivedFrame) -> ArrivedFrame:
        """Return a frame whose index and time continue those from before the source was lost."""
        self._began = arrived.arrived_at if self._began is None else self._began
        self._num_attempts = 0
        index = self._num_before + arrived.frame.frame_index
        self._num_arrived = index + 1
        seconds = arrived.arrived_at - self._began
        return replace(
            arrived, frame=replace(arrived.frame, frame_index=index, pts_seconds=seconds)
        )
