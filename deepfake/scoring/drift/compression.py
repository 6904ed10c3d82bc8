"""How strongly media are compressed: the bytes for a pixel of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["bytes_per_pixel"]


def bytes_per_pixel(
    size_bytes: ArrayLike | Sequence[int | None],
    *,
    width: ArrayLike | Sequence[int | None],
    height: ArrayLike | Sequence[int | None],
    num_frames: ArrayLike | Sequence[int | None],
    is_video: ArrayLike,
) -> NDArray[np.float64]:
    """Return the bytes for a pixel of a frame, NaN where they are not known.

    A reference and the media that are compared with it have to be measured alike.

    Args:
        size_bytes: Size of each file, shape (N,); None or NaN where it is not known.
        width: Of its frames, shape (N,).
        height: Of its frames, shape (N,).
        num_frames: Of a video, shape (N,); a picture counts as one frame.
        is_video: Whether a file is a video, shape (N,), or one value for all.

    Returns:
        Shape (N,).

    Example:
        >>> bytes_per_pixel([6, 8], width=[2, 2], height=[1, 2], num_frames=[3, None],
        ...                 is_video=[True, False]).tolist()
        [1.0, 2.0]
    """
    size, columns, rows, frames = (
        np.asarray(values, dtype=np.float64) for values in (size_bytes, width, height, num_frames)
    )
    pixels = columns * rows * np.where(np.asarray(is_video, dtype=bool), frames, 1.0)
    is_known = (pixels > 0) & (size > 0)
    ratio: NDArray[np.float64] = np.divide(
        size, pixels, out=np.full(pixels.shape, np.nan), where=is_known
    )
    return ratio
