"""Vectorised box arithmetic of the cascade; boxes are (N, 4) float64, left, top, right, bottom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_of_crowds", "clip_to_pixels", "make_square", "non_maximum_suppression", "refine"]

Boxes = NDArray[np.float64]


def non_maximum_suppression(
    boxes: Boxes, scores: NDArray[np.float64], *, max_overlap: float, over: str = "union"
) -> NDArray[np.int64]:
    """Return the rows to keep: the highest score first, what overlaps it too much dropped.

    Args:
        boxes: Shape (N, 4).
        scores: Shape (N,).
        max_overlap: Share of the intersection that is still allowed.
        over: Of the `union`, or of the smaller box (`min`), as MTCNN's last stage does.

    Returns:
        Row numbers, descending by score.
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes[order].T
    areas = (right - left) * (bottom - top)
    alive = np.ones(len(order), dtype=bool)
    keep = []
    for i in range(len(order)):
        if not alive[i]:
            continue
        keep.append(order[i])
        rest = np.flatnonzero(alive[i + 1 :]) + i + 1
        width = np.minimum(right[i], right[rest]) - np.maximum(left[i], left[rest])
        height = np.minimum(bottom[i], bottom[rest]) - np.maximum(top[i], top[rest])
        inter = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        if over == "min":
            base = np.minimum(areas[i], areas[rest])
        else:
            base = areas[i] + areas[rest] - inter
        alive[rest] = inter <= max_overlap * base
    return np.array(keep, dtype=np.int64)


def best_of_crowds(boxes: Boxes, *, max_overlap: float, most: int) -> NDArray[np.int64]:
    """Return the rows to keep: not those that overlap with `most` better ones.

    Args:
        boxes: Shape (N, 4), the best first.
        max_overlap: Intersection over union that does not count.
        most: How many boxes of a crowd are kept.
    """
    left, top, right, bottom = boxes.T
    width = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    height = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    inter = np.maximum(width, 0.0) * np.maximum(height, 0.0)  # (N, N)
    areas = (right - left) * (bottom - top)
    is_near = inter > max_overlap * (areas[:, None] + areas - inter)
    return np.flatnonzero(np.tril(is_near, -1).sum(axis=1) < most)


def refine(boxes: Boxes, offsets: NDArray[np.float64], *, is_inclusive: bool) -> Boxes:
    """Move the sides of boxes by offsets given as shares of width and height.

    Args:
        boxes: Shape (N, 4).
        offsets: Shape (N, 4).
        is_inclusive: Whether right and bottom belong to the box, as in R-net's and O-net's frame.
    """
    extra = 1.0 if is_inclusive else 0.0
    width = boxes[:, 2] - boxes[:, 0] + extra
    height = boxes[:, 3] - boxes[:, 1] + extra
    sides = np.stack([width, height, width, height], axis=1)
    return boxes + offsets * sides


def make_square(boxes: Boxes) -> Boxes:
    """Return squares around the same centres with the longer side."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(width, height)
    left = boxes[:, 0] + (width - side) * 0.5
    top = boxes[:, 1] + (height - side) * 0.5
    return np.stack([left, top, left + side, top + side], axis=1)


def clip_to_pixels(boxes: Boxes, *, width: int, height: int) -> NDArray[np.int64]:
    """Return whole pixels inside the frame: (N, 4), the last two exclusive.

    MTCNN counts pixels from 1 and includes both ends, hence the -1 on the first two.
    """
    whole = np.trunc(boxes).astype(np.int64)
    left = np.maximum(whole[:, 0], 1) - 1
    top = np.maximum(whole[:, 1], 1) - 1
    right = np.minimum(whole[:, 2], width)
    bottom = np.minimum(whole[:, 3], height)
    return np.stack([left, top, right, bottom], axis=1)
