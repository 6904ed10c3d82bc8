"""Decode the next frame in a thread while the current one is processed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from deepfake.types import Frame

__all__ = ["read_ahead"]


def read_ahead(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield the same frames; a thread decodes the next while one is processed.

    Args:
        frames: Used in that thread only, until this iterator is exhausted or closed.

    Raises:
        MediaError: As `frames` does.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as pool:
        ahead = pool.submit(next, frames, None)
        while (frame := ahead.result()) is not None:
            ahead = pool.submit(next, frames, None)
            yield frame
