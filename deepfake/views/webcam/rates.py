"""Frame rate and latency of a session."""

from __future__ import annotations

from collections import Counter, deque

__all__ = ["LatencyCounts", "RecentRate"]

_RECENT_SECONDS = 2.0


class RecentRate:
    """The frame rate over the last two seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float) -> float:
        """Add a frame and return the rate; 0.0 for the first.

        Args:
            now: Time of the frame, seconds, ascending.
        """
        self._times.append(now)
        while now - self._times[0] > _RECENT_SECONDS and len(self._times) > 2:
            self._times.popleft()
        span = now - self._times[0]
        return (len(self._times) - 1) / span if span > 0 else 0.0


class LatencyCounts:
    """A histogram of latencies, in whole milliseconds."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, latency_ms: float) -> None:
        """Add a latency."""
        self._counts[round(latency_ms)] += 1

    def quantile_ms(self, share: float) -> float | None:
        """Return the latency that this share of the frames did not exceed; None without frames.

        Example:
            >>> counts = LatencyCounts()
            >>> for latency_ms in (10, 20, 30, 40):
            ...     counts.add(latency_ms)
            >>> counts.quantile_ms(0.5)
            20.0
        """
        total, so_far = sum(self._counts.values()), 0
        for value, count in sorted(self._counts.items()):
            so_far += count
            if so_far >= share * total:
                return float(value)
        return None
