"""Shrink regions of a frame by area averaging, with an integral image computed once a frame.

facenet-pytorch feeds MTCNN with pictures shrunk by adaptive average pooling: an output pixel is the
mean of all pixels that it overlaps. With other resampling its landmarks move by several percent of
the distance between the eyes. An integral image (Crow, SIGGRAPH 1984) gives these means for all
scales and all candidates with four look-ups each.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.types import Pixels

__all__ = ["FrameView", "Means", "Window", "bins", "means_of"]

_MAX_SHORTER_PX = 800
"""Larger frames are halved first; a face of 8 % of 1080 lines then has 43 pixels."""

Places = NDArray[np.int64]
Window = tuple[int, int, int, int]
"""Left, top, right, bottom in the frame, pixels, the last two exclusive."""


@dataclass(frozen=True, slots=True)
class Means:
    """Rectangles of an integral image to be averaged.

    Attributes:
        corners: Positions in the flat integral image: lower right, lower left, upper right and
            upper left, (4, N).
        shares: One over the area of each rectangle, (N, 1), float32; 0 gives black.
    """

    corners: NDArray[np.intp]
    shares: NDArray[np.float32]


class FrameView:
    """A frame, or a window of it, from which shrunk regions are taken.

    Args:
        pixels: The frame, shape (H, W, 3), uint8, RGB.
        window: The only part that will be used; None for the whole frame.
        levels: Look-up table of 256 levels applied to the pixels; None for none.

    Attributes:
        step: Pixels of the frame per pixel of the integral image, along each side.
        stride: Items of a row of the integral image.
    """

    def __init__(
        self, pixels: Pixels, *, window: Window | None = None, levels: Pixels | None = None
    ) -> None:
        self.pixels = pixels
        self.height, self.width = int(pixels.shape[0]), int(pixels.shape[1])
        self.window = window or (0, 0, self.width, self.height)
        left, top, right, bottom = self.window
        is_large = min(self.width, self.height) > _MAX_SHORTER_PX
        self.step = 2 if is_large and min(right - left, bottom - top) >= 2 else 1
        self.stride = (right - left) // self.step + 1
        self._levels = levels
        self._sums: NDArray[np.void] | None = None

    def part(self, window: Window) -> FrameView:
        """Return a view of a window of the same frame."""
        return FrameView(self.pixels, window=window, levels=self._levels)

    def brightened(self, levels: Pixels) -> FrameView:
        """Return a view of the same frame through a look-up table of 256 levels."""
        return FrameView(self.pixels, window=self.window, levels=levels)

    def averages(self, means: Means, *, window: Window) -> Pixels:
        """Return averages over rectangles of a window.

        Args:
            means: Made for a window of this size and this view's stride and step.
            window: Inside the view's own.

        Returns:
            Shape (N, 3), uint8.
        """
        left, top = window[0] - self.window[0], window[1] - self.window[1]
        return self._averages(means, offset=top // self.step * self.stride + left // self.step)

    def crops(self, places: Places, *, side: int) -> Pixels:
        """Return regions of the frame, resized to squares.

        Args:
            places: Regions, (N, 4); clipped to the view's window, which each must overlap.
            side: Side of the squares, pixels.

        Returns:
            Shape (N, side, side, 3), uint8.
        """
        left, top, right, bottom = self._inside(places).T
        x, y = bins(left, right, side), bins(top, bottom, side)
        averages = self._averages(means_of(x, y, stride=self.stride), offset=0)
        return averages.reshape(len(places), side, side, 3)

    def _averages(self, means: Means, *, offset: int) -> Pixels:
        integral = self._integral_image()
        corners = means.corners + offset if offset else means.corners
        lower_right, lower_left, upper_right, upper_left = (
            integral.take(places).view(np.int32).reshape(-1, 3) for places in corners
        )
        # Sums over more than 8 million pixels overflow; their differences are still correct.
        total = lower_right - lower_left
        total -= upper_right
        total += upper_left
        # (Explicitly float32: NumPy would use float64.)
        averages = total.astype(np.float32)
        averages *= means.shares
        averages += np.float32(0.5)
        return np.asarray(averages.astype(np.uint8))

    def _inside(self, places: Places) -> Places:
        """Return regions in pixels of the integral image, at least one pixel wide and high."""
        left, top, right, bottom = self.window
        size = np.array([(right - left) // self.step, (bottom - top) // self.step])
        first = ((places[:, :2] - (left, top)) // self.step).clip(0, size - 1)
        last = np.maximum((places[:, 2:] - (left, top)) // self.step, first + 1).clip(max=size)
        return np.concatenate([first, last], axis=1)

    def _integral_image(self) -> NDArray[np.void]:
        """Return the integral image, flat, three channels an item."""
        if self._sums is None:
            left, top, right, bottom = self.window
            part = self.pixels[top:bottom, left:right]
            if self.step == 2:
                # At exactly 2 OpenCV averages four pixels, ten times faster than at other factors.
                height, width = part.shape[0] // 2, part.shape[1] // 2
                even = part[: 2 * height, : 2 * width]
                part = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
            if self._levels is not None:
                part = np.asarray(cv2.LUT(part, self._levels))
            sums = np.asarray(cv2.integral(part), dtype=np.int32)
            self._sums = sums.reshape(-1, 3).view("V12").ravel()
        return self._sums


def bins(
    first: NDArray[np.int64], last: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide ranges into `count` bins each; neighbouring bins may overlap.

    Args:
        first: Starts of the ranges, shape (N,).
        last: Ends of the ranges, shape (N,), greater than `first`.
        count: Number of bins.

    Returns:
        Starts and ends of the bins, (N, count) each. Source: PyTorch's adaptive average pooling.
    """
    at = np.arange(count + 1) * (last - first)[:, None]  # (N, count + 1)
    return first[:, None] + at[:, :-1] // count, first[:, None] - (-at[:, 1:] // count)


def means_of(
    x: tuple[NDArray[np.int64], NDArray[np.int64]],
    y: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    stride: int,
) -> Means:
    """Return the rectangles of N grids, row by row.

    Args:
        x: Starts and ends of the columns, (N, W) each.
        y: Starts and ends of the rows, (N, H) each.
        stride: Items of a row of the integral image.
    """
    (x0, x1), (y0, y1) = x, y
    upper, lower = (y0 * stride)[:, :, None], (y1 * stride)[:, :, None]
    left, right = x0[:, None, :], x1[:, None, :]
    corners = [lower + right, lower + left, upper + right, upper + left]  # (N, H, W) each
    area = (y1 - y0)[:, :, None] * (x1 - x0)[:, None, :]
    shares = 1.0 / area.astype(np.float32)
    return Means(np.stack([c.ravel() for c in corners]), shares.reshape(-1, 1))
