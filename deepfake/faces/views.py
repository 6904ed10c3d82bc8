"""Parts of a frame at any smaller size, from sums over rectangles that are made once.

MTCNN was trained and is used by facenet-pytorch with pictures shrunk by adaptive average pooling:
an output pixel is the mean of all pixels that it touches. Its answers move by several percent of
the eyes' distance when they are shrunk otherwise. A summed-area table (Crow, SIGGRAPH 1984) gives
those means for all sizes and all candidates at four look-ups each.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameView", "Window"]

_MAX_SHORTER_PX = 1088
"""Larger frames are halved first; a face of 8 % has 87 pixels there."""

Pixels = NDArray[np.uint8]
Places = NDArray[np.int64]
Window = tuple[int, int, int, int]
"""Left, top, right, bottom in the frame, pixels, the last two exclusive."""


class FrameView:
    """A frame, or a window of it, that can be asked for parts of itself at smaller sizes.

    Args:
        pixels: The frame, shape (H, W, 3), uint8, RGB.
        window: All that will be looked at; None for the whole frame.
        levels: Table of 256 levels that the frame is seen through; None as it is.
    """

    def __init__(
        self, pixels: Pixels, *, window: Window | None = None, levels: Pixels | None = None
    ) -> None:
        self.pixels = pixels
        self.height, self.width = int(pixels.shape[0]), int(pixels.shape[1])
        self.window = window or (0, 0, self.width, self.height)
        self._levels = levels
        self._sums: NDArray[np.void] | None = None
        self._step = 1

    def part(self, window: Window) -> FrameView:
        """Return the same frame for one who looks at a window only."""
        return FrameView(self.pixels, window=window, levels=self._levels)

    def brightened(self, levels: Pixels) -> FrameView:
        """Return the same frame seen through a table of 256 levels."""
        return FrameView(self.pixels, window=self.window, levels=levels)

    def shrunk(self, window: Window, *, width: int, height: int) -> Pixels:
        """Return a part of the frame at a smaller size.

        Args:
            window: Inside the view's own.
            width: Of the result, pixels.
            height: Of the result, pixels.

        Returns:
            Shape (height, width, 3), uint8.
        """
        (shrunk,) = self._means(np.array([window], dtype=np.int64), width=width, height=height)
        return np.asarray(shrunk, dtype=np.uint8)

    def crops(self, places: Places, *, side: int) -> Pixels:
        """Return many parts of the frame as squares of one size.

        Args:
            places: Windows, (N, 4); what lies outside of the view's own is cut off, and some of
                each must be inside.
            side: Of the results, pixels.

        Returns:
            Shape (N, side, side, 3), uint8.
        """
        return self._means(places, width=side, height=side)

    def _means(self, places: Places, *, width: int, height: int) -> Pixels:
        sums, stride = self._table()
        left, top, right, bottom = self._inside(places).T
        x0, x1 = _bins(left, right, width)  # (N, width) each
        y0, y1 = _bins(top, bottom, height)  # (N, height) each
        total = _difference(sums, y1 * stride, x0, x1) - _difference(sums, y0 * stride, x0, x1)
        area = (y1 - y0)[:, :, None] * (x1 - x0)[:, None, :]
        means = total * (1.0 / area.astype(np.float32))[..., None] + np.float32(0.5)
        return np.asarray(means.astype(np.uint8))  # (N, height, width, 3)

    def _inside(self, places: Places) -> Places:
        """Return places in pixels of the table, at least one wide and high."""
        left, top, right, bottom = self.window
        step = self._step
        size = np.array([(right - left) // step, (bottom - top) // step])
        first = ((places[:, :2] - (left, top)) // step).clip(0, size - 1)
        last = np.maximum((places[:, 2:] - (left, top)) // step, first + 1).clip(max=size)
        return np.concatenate([first, last], axis=1)

    def _table(self) -> tuple[NDArray[np.void], int]:
        """Return the sums, flat, three channels an item, and the items of a row."""
        left, top, right, bottom = self.window
        if self._sums is None:
            part = self.pixels[top:bottom, left:right]
            if min(self.width, self.height) > _MAX_SHORTER_PX and min(part.shape[:2]) >= 2:
                self._step = 2
                # Exact halves: OpenCV averages four pixels, ten times faster than other factors.
                height, width = part.shape[0] // 2, part.shape[1] // 2
                part = np.asarray(
                    cv2.resize(
                        part[: 2 * height, : 2 * width],
                        (width, height),
                        interpolation=cv2.INTER_AREA,
                    )
                )
            if self._levels is not None:
                part = np.asarray(cv2.LUT(part, self._levels))
            # Sums over more than 8 million pixels overflow; differences stay right.
            table = np.asarray(cv2.integral(part), dtype=np.int32)
            self._sums = table.reshape(-1, 3).view("V12").ravel()
        return self._sums, (right - left) // self._step + 1


def _bins(first: Places, last: Places, count: int) -> tuple[Places, Places]:
    """Return where each of `count` bins begins and ends, (N, count) each; neighbours overlap."""
    at = np.arange(count + 1) * (last - first)[:, None]  # (N, count + 1)
    return first[:, None] + at[:, :-1] // count, first[:, None] - (-at[:, 1:] // count)


def _difference(sums: NDArray[np.void], rows: Places, x0: Places, x1: Places) -> NDArray[np.int32]:
    """Return sums along a row up to x1 less those up to x0, (N, H, W, 3)."""
    shape = (len(rows), rows.shape[1], x0.shape[1], 3)
    upper = sums.take(rows[:, :, None] + x1[:, None, :]).view(np.int32).reshape(shape)
    lower = sums.take(rows[:, :, None] + x0[:, None, :]).view(np.int32).reshape(shape)
    return np.asarray(upper - lower, dtype=np.int32)
