"""Detect faces with MTCNN (Zhang et al., IEEE Signal Processing Letters 2016).

Three networks run in turn: P-net proposes boxes on an image pyramid, R-net filters them, O-net
gives the final boxes and landmarks. All candidates of a frame are computed in batches; coordinates
are in pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.extract.faces.area_resize import FrameView, Window
from deepfake.extract.faces.boxes import (
    best_of_clusters,
    clip_to_pixels,
    make_square,
    non_maximum_suppression,
    refine,
)
from deepfake.extract.faces.networks import BackendName, Networks, create_networks
from deepfake.extract.faces.pyramids import CELL_PX, STRIDE_PX, Canvas, draw_canvas, scales_of
from deepfake.types import Face, Pixels

__all__ = ["Detection", "MtcnnDetector"]

_SMALLEST_PX = 20
"""Side of the smallest face that can be detected; facenet-pytorch's default."""

_MAX_CANDIDATES = 256
"""Most probable proposals of P-net that are kept; twenty faces give some 150. Where faces of a
smaller share are looked for there may be more of them,"""

_MOST_CANDIDATES = 1024
"""but never more than this."""

_NEAR_KEPT = 4
"""Candidates around an expected face that O-net gets from R-net, the most probable."""

_BATCH = 48
"""R-net gets the proposals in batches of this size, the most probable first,"""

_MIN_PASSED_SHARE = 0.4
"""and stops after a batch of which a smaller share passes."""

_MAX_FOR_ONE = 8
"""Candidates around one face that O-net gets from R-net, the most probable."""

_NEAR_CANDIDATES = 12
"""Proposals of P-net that are kept around an expected face."""

_NEAR_WINDOW = 2.8
"""Side of the window searched around an expected face, in face sizes. At the largest scale it has
48 pixels, so that one canvas shape fits nearly all of them."""

_FOLLOW_WINDOW = 1.5
"""The same if only O-net runs."""

_NEAR_SIZES = 1 / 0.709
"""Factor by which a face may be smaller or larger than expected."""

_RNET_PX, _ONET_PX = 24, 48

_MOST_COUNTED_PIXELS = 40_000_000
"""Pixels of a frame in which smaller faces are counted: it takes 70 bytes a pixel, so that a
photograph of 98 million needed more memory than a worker may take."""

_MIN_SEEN = 1 / 3
"""Minimum share of a face's box inside the frame; the rest of a crop is mirrored."""

_DARK_BELOW = 0.3
"""Mean luminance, 0 to 1, below which a frame without a face is brightened and searched again."""

_MEASURED_PX = 128
"""Pixels sampled along the shorter side to measure luminance."""

_LIFTED_MEAN = 0.45
"""Mean luminance after brightening. On a DFDC clip filmed in the dark (mean 0.14) the networks find
the face in none of 15 frames as they are, and in all 15 at this mean."""

Floats = NDArray[np.float64]
_Found = tuple[Floats, Floats, Floats]
"""Boxes (N, 4), confidences (N,) and landmarks (N, 5, 2) in the frame's pixels."""

_NOTHING: _Found = (np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))


@dataclass(frozen=True, slots=True)
class Detection:
    """The faces of a frame.

    Attributes:
        faces: The largest first.
        levels: Look-up table that the frame was brightened with; None if it was not.
        num_small: Faces that were seen and are too small to count.
    """

    faces: tuple[Face, ...]
    levels: Pixels | None = None
    num_small: int = 0


class MtcnnDetector:
    """Detects all faces above a size relative to the frame.

    Args:
        config: Thresholds and smallest size of a face.
        device: `cpu` or `cuda`.
        backend: Library that runs the networks.
        cache: Folder of networks converted for the CPU; None converts them here.
        networks: Networks to use instead of those of `device` and `backend`.

    Raises:
        FaceError: The networks could not be built.
    """

    def __init__(
        self,
        config: FaceConfig,
        *,
        device: str = "cpu",
        backend: BackendName = "auto",
        cache: Path | None = None,
        networks: Networks | None = None,
    ) -> None:
        self.config = config
        self._networks = networks or create_networks(backend, device=device, cache=cache)

    def detect(self, pixels: Pixels) -> list[Face]:
        """Return the faces of one frame, the largest first.

        Args:
            pixels: Shape (H, W, 3), uint8, RGB.
        """
        return list(self.search(FrameView(pixels)).faces)

    def search(self, view: FrameView) -> Detection:
        """Search a whole frame for faces."""
        if min(view.width, view.height) < _SMALLEST_PX:
            return Detection(())
        faces, num_small = self._faces(view, self._cascade(view))
        if faces:
            return Detection(faces, num_small=num_small)
        levels = _brightening(view)
        if levels is None:
            return Detection((), num_small=num_small)
        bright = view.brightened(levels)
        faces, num_small = self._faces(bright, self._cascade(bright))
        return Detection(faces, levels if faces else None, num_small)

    def count_small(self, view: FrameView) -> int:
        """Return how many faces are seen in a frame that are half as large as those looked for.

        In frames of more than 40 million pixels none is counted.
        """
        is_huge = view.width * view.height > _MOST_COUNTED_PIXELS
        if min(view.width, view.height) < _SMALLEST_PX or is_huge:
            return 0
        return self._faces(view, self._cascade(view, share=0.5))[1]

    def search_near(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]:
        """Search around expected faces, at about their sizes.

        Args:
            view: The frame, brightened if the expected faces were found in a brightened one.
            expected: Faces of a frame before or after.
        """
        return self._joined(view, [self._near(view, face) for face in expected])

    def follow(self, view: FrameView, expected: Sequence[Face]) -> tuple[Face, ...]:
        """Run O-net in the boxes of another frame's faces.

        Args:
            view: The frame, brightened if the expected faces were found in a brightened one.
            expected: Faces of a frame a moment before or after.
        """
        return self._joined(view, [self._in_box(view, face) for face in expected])

    def _near(self, view: FrameView, face: Face) -> _Found:
        window = _window_around(face, view, sides=_NEAR_WINDOW)
        if window is None:
            return _NOTHING
        # Proposals may exceed the window a little.
        part = view.part(_window_around(face, view, sides=_NEAR_WINDOW + 0.4) or window)
        scales = self._scales_near(face, window)
        boxes = self._propose(part, window=window, scales=scales, limit=_NEAR_CANDIDATES)
        return self._locate(part, self._filter(part, boxes)[:_NEAR_KEPT])

    def _in_box(self, view: FrameView, face: Face) -> _Found:
        window = _window_around(face, view, sides=_FOLLOW_WINDOW)
        if window is None:
            return _NOTHING
        box = make_square(np.array([face.bbox_xyxy], dtype=np.float64))
        return self._locate(view.part(window), box)

    def _joined(self, view: FrameView, found: Sequence[_Found]) -> tuple[Face, ...]:
        """Join the results of windows that may overlap; each face once."""
        boxes, scores, landmarks = (
            np.concatenate(parts) for parts in zip(_NOTHING, *found, strict=True)
        )
        keep = non_maximum_suppression(boxes, scores, max_overlap=0.7, over="min")
        return self._faces(view, (boxes[keep], scores[keep], landmarks[keep]))[0]

    def _smallest_px(self, width: int, height: int) -> float:
        """Return the size of the smallest face that counts."""
        by_share = self.config.min_face_fraction * min(width, height)
        enough = self.config.min_face_px
        return by_share if enough is None else min(by_share, float(enough))

    def _cascade(self, view: FrameView, *, share: float = 1.0) -> _Found:
        shorter = min(view.width, view.height)
        smallest = max(_SMALLEST_PX, share * self._smallest_px(view.width, view.height))
        scales = scales_of(smallest, shorter_px=shorter)
        if not scales:
            return _NOTHING
        window = (0, 0, view.width, view.height)
        room = max(1.0, self.config.min_face_fraction * shorter / smallest)
        limit = min(_MOST_CANDIDATES, round(_MAX_CANDIDATES * room))
        boxes = self._propose(view, window=window, scales=scales, limit=limit)
        return self._locate(view, self._filter(view, boxes))

    def _scales_near(self, face: Face, window: Window) -> list[float]:
        shorter = min(window[2] - window[0], window[3] - window[1])
        scales = scales_of(face.size_px / _NEAR_SIZES, shorter_px=shorter)
        largest = CELL_PX / (face.size_px * _NEAR_SIZES) * 0.99
        return [scale for scale in scales if scale >= largest]

    def _propose(
        self, view: FrameView, *, window: Window, scales: Sequence[float], limit: int
    ) -> Floats:
        if not scales:
            return np.empty((0, 4))
        canvas = draw_canvas(view, window=window, scales=scales)
        offsets, probs = self._networks.pnet(canvas.pixels)
        boxes, scores, moves = _cells(canvas, offsets, probs, threshold=self.config.thresholds[0])
        keep = non_maximum_suppression(boxes, scores, max_overlap=0.7)[:limit]
        return make_square(refine(boxes[keep], moves[keep], is_inclusive=False))

    def _filter(self, view: FrameView, boxes: Floats) -> Floats:
        """Return the boxes that pass R-net; `boxes` descend by P-net's score."""
        passed, scores, moves = [np.empty((0, 4))], [np.empty(0)], [np.empty((0, 4))]
        for start in range(0, len(boxes), _BATCH):
            some, crops = _crops(view, boxes[start : start + _BATCH], side=_RNET_PX)
            if len(some) == 0:
                continue
            offsets, probs = self._networks.rnet(crops)
            is_passed = probs > self.config.thresholds[1]
            passed.append(some[is_passed])
            scores.append(probs[is_passed].astype(np.float64))
            moves.append(offsets[is_passed].astype(np.float64))
            if is_passed.mean() < _MIN_PASSED_SHARE:
                break
        found, confidence = np.concatenate(passed), np.concatenate(scores)
        keep = non_maximum_suppression(found, confidence, max_overlap=0.7)
        moved = make_square(refine(found[keep], np.concatenate(moves)[keep], is_inclusive=True))
        return moved[best_of_clusters(moved, max_overlap=0.5, most=_MAX_FOR_ONE)]

    def _locate(self, view: FrameView, boxes: Floats) -> _Found:
        boxes, crops = _crops(view, boxes, side=_ONET_PX)
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

    def _faces(self, view: FrameView, found: _Found) -> tuple[tuple[Face, ...], int]:
        """Return the detections that count as faces, the largest first, and how many are small."""
        faces = [
            _to_face(box, points, float(confidence))
            for box, confidence, points in zip(*found, strict=True)
            if confidence >= self.config.min_confidence
        ]
        seen = [f for f in faces if f is not None and _is_seen(f, view.width, view.height)]
        smallest = self._smallest_px(view.width, view.height)
        kept = [face for face in seen if face.size_px >= smallest]
        kept.sort(key=lambda f: (-f.size_px, f.bbox_xyxy))
        return tuple(kept[: self.config.max_faces]), len(seen) - len(kept)


def _is_seen(face: Face, width: int, height: int) -> bool:
    """Return whether enough of a face lies in the frame."""
    left, top, right, bottom = face.bbox_xyxy
    seen_width = min(right, width) - max(left, 0)
    seen_height = min(bottom, height) - max(top, 0)
    seen = max(0.0, seen_width) * max(0.0, seen_height) / ((right - left) * (bottom - top))
    return seen >= _MIN_SEEN


def _window_around(face: Face, view: FrameView, *, sides: float) -> Window | None:
    """Return a window around a face, `sides` face sizes wide; None if outside the frame."""
    half = face.size_px * sides / 2
    x, y = face.center_xy
    left, top = max(0, round(x - half)), max(0, round(y - half))
    right, bottom = min(view.width, round(x + half)), min(view.height, round(y + half))
    return (left, top, right, bottom) if right > left and bottom > top else None


def _cells(
    canvas: Canvas, offsets: NDArray[np.float32], probs: NDArray[np.float32], *, threshold: float
) -> _Found:
    """Return frame boxes (N, 4), scores (N,) and offsets (N, 4) of P-net's positive cells."""
    boxes, scores, moves = [np.empty((0, 4))], [np.empty(0)], [np.empty((0, 4))]
    for level in canvas.levels:
        rows_columns = level.cells
        own = probs[rows_columns]
        rows, columns = np.nonzero(own >= threshold)
        if len(rows) == 0:
            continue
        corners = np.stack([columns, rows, columns, rows], axis=1) * STRIDE_PX + np.array(
            [1, 1, CELL_PX, CELL_PX]
        )
        at = np.floor(corners / level.scale) + np.array(level.origin_xy * 2)
        confidence = own[rows, columns].astype(np.float64)
        keep = non_maximum_suppression(at, confidence, max_overlap=0.5)
        boxes.append(at[keep])
        scores.append(confidence[keep])
        moves.append(offsets[:, *rows_columns][:, rows, columns].T.astype(np.float64)[keep])
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(moves)


def _crops(view: FrameView, boxes: Floats, *, side: int) -> tuple[Floats, Pixels]:
    """Return the boxes that overlap the frame, and their crops (N, side, side, 3)."""
    places = clip_to_pixels(boxes, width=view.width, height=view.height)
    has_pixels = (places[:, 2] > places[:, 0]) & (places[:, 3] > places[:, 1])
    boxes, places = boxes[has_pixels], places[has_pixels]
    if len(boxes) == 0:
        return boxes, np.empty((0, side, side, 3), dtype=np.uint8)
    return boxes, view.crops(places, side=side)


def _brightening(view: FrameView) -> Pixels | None:
    """Return a look-up table that brightens a dark picture; None if it is not dark."""
    step = max(1, min(view.width, view.height) // _MEASURED_PX)
    some = np.ascontiguousarray(view.pixels[::step, ::step])
    mean = float(cv2.cvtColor(some, cv2.COLOR_RGB2GRAY).mean()) / 255.0
    if mean >= _DARK_BELOW:
        return None
    exponent = np.log(_LIFTED_MEAN) / np.log(max(mean, 0.01))
    levels = np.round(255.0 * (np.arange(256) / 255.0) ** exponent)
    return np.asarray(levels, dtype=np.uint8)


def _to_face(box: Floats, points: NDArray[np.float64], confidence: float) -> Face | None:
    left, top, right, bottom = (float(value) for value in box)
    if not (right > left and bottom > top):
        return None
    return Face(
        bbox_xyxy=(left, top, right, bottom),
        landmarks=tuple((float(x), float(y)) for x, y in points),
        confidence=min(1.0, confidence),
    )
