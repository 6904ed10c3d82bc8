"""MTCNN (Zhang et al., IEEE Signal Processing Letters 2016), all candidates of a frame at once.

Three networks look in turn: P-net over a pyramid of the whole picture, R-net at what P-net
proposes, O-net at what R-net keeps. The pyramid and the crops come from a copy of the frame that is
just large enough for the smallest face wanted; boxes and landmarks are given in the frame's own
pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.faces.boxes import (
    clip_to_pixels,
    make_square,
    non_maximum_suppression,
    refine,
)
from deepfake.faces.networks import BackendName, create_networks
from deepfake.types import Face

__all__ = ["MtcnnDetector"]

_SMALLEST_PX = 20
"""Side of the smallest face in the detection copy; facenet-pytorch's default."""

_CELL_PX, _STRIDE_PX = 12, 2
"""P-net's receptive field and step."""

_PYRAMID_STEP = 0.709
"""About 1 / sqrt(2): each level has half the area. Source: the authors' code."""

_MAX_CANDIDATES = 256
"""Of P-net, the most probable; a frame of twenty faces leaves some 150."""

_MIN_SEEN = 1 / 3
"""Share of a face's box inside the frame; the rest of a crop is a reflection."""

_DARK_BELOW = 0.3
"""Mean luminance, 0 to 1, under which a frame without a face is looked at again, brightened."""

_LIFTED_MEAN = 0.45
"""What the mean luminance becomes. On a DFDC clip filmed in the dark (mean 0.14) the networks find
the face in none of 15 frames as they are, and in all 15 at this mean."""

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]
_NOTHING = (np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))


class MtcnnDetector:
    """Finds all faces above a size relative to the frame.

    Args:
        config: What counts as a face.
        device: `cpu` or `cuda`.
        backend: What runs the networks.

    Raises:
        FaceError: The networks could not be built.
    """

    def __init__(
        self, config: FaceConfig, *, device: str = "cpu", backend: BackendName = "auto"
    ) -> None:
        self.config = config
        self._networks = create_networks(backend, device=device)

    def detect(self, pixels: Pixels) -> list[Face]:
        """Return the faces of one frame, the largest first.

        Args:
            pixels: Shape (H, W, 3), uint8, RGB.
        """
        if min(pixels.shape[:2]) < _SMALLEST_PX:
            return []
        small = self._detection_copy(pixels)
        found = self._cascade(small, pixels)
        if not (found[1] >= self.config.min_confidence).any():
            brightened = _brightening(small)
            if brightened is not None:
                found = self._cascade(cv2.LUT(small, brightened), cv2.LUT(pixels, brightened))
        height, width = pixels.shape[:2]
        faces = [
            _to_face(box, points, float(confidence))
            for box, confidence, points in zip(*found, strict=True)
            if confidence >= self.config.min_confidence
        ]
        kept = [f for f in faces if f is not None and self._is_kept(f, width, height)]
        kept.sort(key=lambda f: (-f.size_px, f.bbox_xyxy))
        return kept[: self.config.max_faces]

    def _detection_copy(self, pixels: Pixels) -> Pixels:
        # The smallest face wanted becomes _SMALLEST_PX pixels; frames are never enlarged.
        shorter = min(pixels.shape[:2])
        scale = min(1.0, _SMALLEST_PX / (self.config.min_face_fraction * shorter))
        if scale == 1.0:
            return pixels
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _cascade(
        self, small: Pixels, full: Pixels
    ) -> tuple[Boxes, NDArray[np.float64], NDArray[np.float64]]:
        """Return boxes (N, 4), confidences (N,) and landmarks (N, 5, 2) in the frame's pixels.

        O-net looks at the frame itself: there the smallest faces have all of their pixels.
        """
        boxes = self._propose(small) * (full.shape[0] / small.shape[0])
        return self._locate(full, self._filter(full, boxes))

    def _propose(self, picture: Pixels) -> Boxes:
        found = [self._propose_at(picture, size) for size in _pyramid(picture.shape[:2])]
        boxes = np.concatenate([boxes for boxes, _, _ in found])
        scores = np.concatenate([scores for _, scores, _ in found])
        offsets = np.concatenate([offsets for _, _, offsets in found])
        keep = _nms(boxes, scores, max_overlap=0.7)[:_MAX_CANDIDATES]
        return make_square(refine(boxes[keep], offsets[keep], is_inclusive=False))

    def _propose_at(
        self, picture: Pixels, size: tuple[int, int]
    ) -> tuple[Boxes, NDArray[np.float64], NDArray[np.float64]]:
        width, height = size
        level = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        offsets, probs = self._networks.pnet(np.asarray(level, dtype=np.uint8))
        rows, columns = np.nonzero(probs >= self.config.thresholds[0])
        scores = probs[rows, columns].astype(np.float64)
        corners = np.stack([columns, rows, columns, rows], axis=1) * _STRIDE_PX + np.array(
            [1, 1, _CELL_PX, _CELL_PX]
        )
        shrunk = np.array([width, height, width, height]) / np.array(picture.shape[1::-1] * 2)
        boxes = np.floor(corners / shrunk)
        keep = _nms(boxes, scores, max_overlap=0.5)
        return boxes[keep], scores[keep], offsets[:, rows, columns].T.astype(np.float64)[keep]

    def _filter(self, picture: Pixels, boxes: Boxes) -> Boxes:
        boxes, crops = _crops(picture, boxes, side=24)
        if len(boxes) == 0:
            return boxes
        offsets, probs = self._networks.rnet(crops)
        passed = probs > self.config.thresholds[1]
        boxes, scores = boxes[passed], probs[passed].astype(np.float64)
        keep = _nms(boxes, scores, max_overlap=0.7)
        moved = refine(boxes[keep], offsets[passed][keep].astype(np.float64), is_inclusive=True)
        return make_square(moved)

    def _locate(
        self, picture: Pixels, boxes: Boxes
    ) -> tuple[Boxes, NDArray[np.float64], NDArray[np.float64]]:
        boxes, crops = _crops(picture, boxes, side=48)
        if len(boxes) == 0:
            return _NOTHING
        offsets, points, probs = self._networks.onet(crops)
        passed = probs > self.config.thresholds[2]
        boxes, scores = boxes[passed], probs[passed].astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2] + 1.0
        shares = points[passed].astype(np.float64).reshape(-1, 2, 5).transpose(0, 2, 1)  # (N, 5, 2)
        landmarks = shares * sides[:, None, :] + boxes[:, None, :2] - 1.0
        boxes = refine(boxes, offsets[passed].astype(np.float64), is_inclusive=True)
        keep = non_maximum_suppression(boxes, scores, max_overlap=0.7, over="min")
        return boxes[keep], scores[keep], landmarks[keep]

    def _is_kept(self, face: Face, width: int, height: int) -> bool:
        left, top, right, bottom = face.bbox_xyxy
        seen_width, seen_height = (
            min(right, width) - max(left, 0),
            min(bottom, height) - max(top, 0),
        )
        seen = max(0.0, seen_width) * max(0.0, seen_height) / ((right - left) * (bottom - top))
        is_large = face.size_px >= self.config.min_face_fraction * min(width, height)
        return is_large and seen >= _MIN_SEEN


def _pyramid(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield the widths and heights of the levels, the largest first."""
    height, width = shape[:2]
    scale = _CELL_PX / _SMALLEST_PX
    while min(height, width) * scale >= _CELL_PX:
        yield int(width * scale + 1), int(height * scale + 1)
        scale *= _PYRAMID_STEP


def _nms(boxes: Boxes, scores: NDArray[np.float64], *, max_overlap: float) -> NDArray[np.int64]:
    if len(boxes) == 0:
        return np.empty(0, dtype=np.int64)
    corner_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(corner_size.tolist(), scores.tolist(), 0.0, max_overlap)
    return np.asarray(kept, dtype=np.int64).ravel()


def _crops(picture: Pixels, boxes: Boxes, *, side: int) -> tuple[Boxes, Pixels]:
    """Return the boxes that have a pixel in the picture, and their crops (N, side, side, 3)."""
    height, width = picture.shape[:2]
    places = clip_to_pixels(boxes, width=width, height=height)
    has_pixels = (places[:, 2] > places[:, 0]) & (places[:, 3] > places[:, 1])
    boxes, places = boxes[has_pixels], places[has_pixels]
    crops = np.empty((len(boxes), side, side, 3), dtype=np.uint8)
    for crop, (left, top, right, bottom) in zip(crops, places.tolist(), strict=True):
        cv2.resize(
            picture[top:bottom, left:right], (side, side), dst=crop, interpolation=cv2.INTER_AREA
        )
    return boxes, crops


def _brightening(picture: Pixels) -> Pixels | None:
    """Return the 256 levels that lift a dark picture's mid-tones; None where it is not dark."""
    mean = float(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).mean()) / 255.0
    if mean >= _DARK_BELOW:
        return None
    exponent = np.log(_LIFTED_MEAN) / np.log(max(mean, 0.01))
    levels = np.round(255.0 * (np.arange(256) / 255.0) ** exponent)
    return np.asarray(levels, dtype=np.uint8)


def _to_face(box: Boxes, points: NDArray[np.float64], confidence: float) -> Face | None:
    left, top, right, bottom = (float(value) for value in box)
    if not (right > left and bottom > top):
        return None
    return Face(
        bbox_xyxy=(left, top, right, bottom),
        landmarks=tuple((float(x), float(y)) for x, y in points),
        confidence=min(1.0, confidence),
    )
