"""Box arithmetic of MTCNN: suppression, refinement, clipping. Boxes are (N, 4) float64, xyxy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["best_of_clusters", "clip_to_pixels", "make_square", "non_maximum_suppression", "refine"]

Boxes = NDArray[np.float64]


def non_maximum_suppression(
    boxes: Boxes, scores: NDArray[np.float64], *, max_overlap: float, over: str = "union"
) -> NDArray[np.int64]:
    """Return the boxes to keep, the highest score first, without those that overlap a better one.

    Args:
        boxes: Shape (N, 4).
        scores: Shape (N,).
        max_overlap: Largest overlap that is kept.
        over: Intersection over the `union`, or over the smaller box (`min`), as in MTCNN's last
            stage.

    Returns:
        Row numbers, descending by score.
    """
    if over == "min":
        return _suppress_over_smaller(boxes, scores, max_overlap=max_overlap)
    if len(boxes) < 2:
        return np.arange(len(boxes))
    corner_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(corner_size.tolist(), scores.tolist(), 0.0, max_overlap)
    return np.asarray(kept, dtype=np.int64).ravel()


def _suppress_over_smaller(
    boxes: Boxes, scores: NDArray[np.float64], *, max_overlap: float
) -> NDArray[np.int64]:
    """Suppress by overlap with the smaller box, which OpenCV does not support."""
    order = np.argsort(-scores, kind="stable")
    inter, areas = _intersections(boxes[order])
    is_over = inter > max_overlap * np.minimum(areas[:, None], areas)  # (N, N)
    alive = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~is_over[i, i + 1 :]
    return order[alive]


def _intersections(boxes: Boxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the areas of pairwise intersections, (N, N), and of the boxes, (N,)."""
    left, top, right, bottom = boxes.T
    width = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    height = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    areas = (right - left) * (bottom - top)
    return np.maximum(width, 0.0) * np.maximum(height, 0.0), areas


def best_of_clusters(boxes: Boxes, *, max_overlap: float, most: int) -> NDArray[np.int64]:
    """Return the boxes to keep: at most about `most` in each cluster of overlapping boxes.

    A box is dropped if it overlaps `most` better ones.

    Args:
        boxes: Shape (N, 4), the best first.
        max_overlap: Boxes overlap if their intersection over union is greater than this.
        most: Boxes kept in a cluster.
    """
    inter, areas = _intersections(boxes)
    is_near = inter > max_overlap * (areas[:, None] + areas - inter)
    return np.flatnonzero(np.tril(is_near, -1).sum(axis=1) < most)


def refine(boxes: Boxes, offsets: NDArray[np.float64], *, is_inclusive: bool) -> Boxes:
    """Move the sides of boxes by offsets relative to width and height.

    Args:
        boxes: Shape (N, 4).
        offsets: Shape (N, 4).
        is_inclusive: Whether right and bottom belong to the box, as for R-net and O-net.
    """
    extra = 1.0 if is_inclusive else 0.0
    width = boxes[:, 2] - boxes[:, 0] + extra
    height = boxes[:, 3] - boxes[:, 1] + extra
    sides = np.stack([width, height, width, height], axis=1)
    return boxes + offsets * sides


def make_square(boxes: Boxes) -> Boxes:
    """Return squares with the same centres and the longer side."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(width, height)
    left = boxes[:, 0] + (width - side) * 0.5
    top = boxes[:, 1] + (height - side) * 0.5
    return np.stack([left, top, left + side, top + side], axis=1)


def clip_to_pixels(boxes: Boxes, *, width: int, height: int) -> NDArray[np.int64]:
    """Return boxes in whole pixels, clipped to the frame: (N, 4), right and bottom exclusive.

    MTCNN counts pixels from 1 and includes both ends, hence the -1 on left and top.
    """
    whole = np.trunc(boxes).astype(np.int64)
    left = np.maximum(whole[:, 0], 1) - 1
    top = np.maximum(whole[:, 1], 1) - 1
    right = np.minimum(whole[:, 2], width)
    bottom = np.minimum(whole[:, 3], height)
    return np.stack([left, top, right, bottom], axis=1)
