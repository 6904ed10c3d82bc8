"""A thread that always holds the newest frame of a source, and finds the source again if lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition, Event, Thread

from deepfake.errors import MediaError
from deepfake.media import ArrivedFrame, Stream

__all__ = ["WAITS_SECONDS", "FrameReader"]

WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between attempts to find a lost source again; the last for ever."""

_JOIN_SECONDS = 1.0
"""A thread that sits in a driver for longer is left to end with the process."""


class FrameReader:
    """Reads a source in a thread; whoever asks gets the newest frame, once.

    Args:
        opened: The open source.
        reopen: Opens it again after it was lost; a live one only.
        stop: Ends reading.
        is_dropping: Whether a frame that nobody has taken gives way to the next. If not, the source
            waits.
        every: Only each so manieth frame is held.
        tell: Gets a line when the source is lost and when it is found again; called in the thread.
        waits_seconds: Before each attempt to open it again.

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
        tell: Callable[[str], None] = lambda _: None,
        waits_seconds: Sequence[float] = WAITS_SECONDS,
    ) -> None:
        self._stream = opened
        self._reopen, self._stop, self._tell = reopen, stop, tell
        self._is_dropping, self._every = is_dropping, every
        self._waits = waits_seconds
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
        """Frames between the first and the last one taken that nobody was given."""
        if not self._num_taken:
            return 0
        return (self._last_taken - self._first_taken) // self._every + 1 - self._num_taken

    def start(self) -> None:
        """Begin to read; beginning twice does no harm."""
        if self._thread.ident is None:
            self._thread.start()

    def take(self, *, timeout_seconds: float) -> ArrivedFrame | None:
        """Return the newest frame that was not taken yet; None if there is none in time.

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
        # A frame that had to wait for us is not late.
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
            while self._read_to_its_end():
                pass
        except BaseException as error:  # for whoever takes
            self._error = error
        finally:
            with self._changed:
                self._is_done = True
                self._changed.notify_all()

    def _read_to_its_end(self) -> bool:
        """Read the open source, and return whether it is open again after it was lost."""
        stream = self._stream
        try:
            for arrived in stream.frames():
                if not self._hold(arrived, is_live=stream.is_live) or self._stop.is_set():
                    return False
            return False
        except MediaError as error:
            if not stream.is_live:
                raise
            self.problem = f"{error.message}; trying to find it again"
        finally:
            stream.close()
        self._num_before = self._num_arrived
        return self._find_again()

    def _find_again(self) -> bool:
        lost_at = time.monotonic()
        while True:
            wait = self._waits[min(self._num_attempts, len(self._waits) - 1)]
            self._num_attempts += 1
            self._tell(f"lost: {self.problem}, in {wait:g} s")
            if self._stop.wait(wait):
                return False
            try:
                self._stream = self._reopen()
            except MediaError as error:
                self.problem = f"{error.message}; trying to find it again"
                continue
            self.problem = None
            self._tell(f"found again after {time.monotonic() - lost_at:.0f} s")
            return True

    def _hold(self, arrived: ArrivedFrame, *, is_live: bool) -> bool:
        """Hold a frame for whoever asks; False if nobody will."""
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
        """Return a frame whose number and time go on from before the source was lost."""
        self._began = arrived.arrived_at if self._began is None else self._began
        self._num_attempts = 0
        index = self._num_before + arrived.frame.frame_index
        self._num_arrived = index + 1
        seconds = arrived.arrived_at - self._began
        return replace(
            arrived, frame=replace(arrived.frame, frame_index=index, pts_seconds=seconds)
        )
