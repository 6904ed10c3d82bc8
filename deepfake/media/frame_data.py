"""Read what FFmpeg attaches to a decoded frame beside its pixels."""

from __future__ import annotations

from typing import Any

__all__ = ["frame_data"]


def frame_data(frame: Any, name: str) -> bytes | None:
    """Return data attached to a frame, such as `DISPLAYMATRIX`; None without it.

    PyAV lists nothing of a frame to which FFmpeg has attached data of a kind that it does not know,
    such as the EXIF data of a JPEG.
    """
    try:
        found = frame.side_data.get(name)
    except ValueError:
        return None
    return None if found is None else bytes(found)
