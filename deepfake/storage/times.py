"""Times of files as databases and tables can hold them."""

from __future__ import annotations

__all__ = ["storable_ns"]

_LARGEST = 2**63 - 1


def storable_ns(nanoseconds: int) -> int:
    """Return a time since 1970 in nanoseconds, clipped to 64 bits: the years 1677 to 2262.

    Disks hold other dates too, by accident or on purpose. One odd date must not end a run.

    Example:
        >>> storable_ns(5), storable_ns(10**30) == 2**63 - 1
        (5, True)
    """
    return max(-_LARGEST - 1, min(_LARGEST, nanoseconds))
