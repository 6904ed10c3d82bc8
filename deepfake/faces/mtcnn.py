"""MTCNN (Zhang et al., IEEE Signal Processing Letters 2016) with facenet-pytorch's weights.

Faces are looked for in a copy of the frame that is just large enough for the smallest face wanted:
MTCNN finds faces from 12 pixels on, and 20 is where its three networks become dependable
(facenet-pytorch's own default). Boxes and landmarks are given back in the frame's own pixels.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import FaceConfig
from deepfake.errors import FaceError
from deepfake.types import Face

__all__ = ["MtcnnDetector", "weights_digest"]

_SMALLEST_PX = 20
_DARK_BELOW = 0.3
"""Mean luminance, 0 to 1, under which a frame without a face is looked at again, brightened."""

_LIFTED_MEAN = 0.45
"""What the mean luminance becomes. On a DFDC clip filmed in the dark (mean 0.14) the networks find
the face in none of 15 frames as they are, and in all 15 at this mean."""

_NETWORKS = ("pnet", "rnet", "onet")


@cache
def weights_digest() -> str:
    """Return 16 hex digits of SHA-256 over the three networks' weight files."""
    import facenet_pytorch

    folder = Path(facenet_pytorch.__file__).parent / "data"
    digest = hashlib.sha256()
    for name in _NETWORKS:
        try:
            digest.update((folder / f"{name}.pt").read_bytes())
        except OSError as error:
            raise FaceError(f"the weights of {name} are missing", path=folder) from error
    return digest.hexdigest()[:16]


class MtcnnDetector:
    """Finds all faces above a size relative to the frame.

    Args:
        config: What counts as a face.
        device: A Torch device name, `cpu` or `cuda`.

    Raises:
        FaceError: The networks could not be built.
    """

    def __init__(self, config: FaceConfig, *, device: str = "cpu") -> None:
        from facenet_pytorch import MTCNN

        self.config = config
        try:
            self._mtcnn: Any = MTCNN(
                keep_all=True,
                min_face_size=_SMALLEST_PX,
                thresholds=list(config.thresholds),
                device=device,
            )
        except (OSError, RuntimeError) as error:
            raise FaceError(f"MTCNN could not be built on {device} ({error})") from error

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of one frame, the largest first.

        Args:
            pixels: Shape (H, W, 3), uint8, RGB.
        """
        if min(pixels.shape[:2]) < _SMALLEST_PX:
            return []
        small, scale = self._detection_copy(pixels)
        found = self._run(small)
        if not any(confidence >= self.config.min_confidence for confidence in found[1]):
            found = self._run_brightened(small, found)
        boxes, confidences, landmarks = found
        faces = [
            _to_face(box / scale, points / scale, float(confidence))
            for box, confidence, points in zip(boxes, confidences, landmarks, strict=True)
            if confidence >= self.config.min_confidence
        ]
        height, width = pixels.shape[:2]
        kept = [f for f in faces if f is not None and self._is_kept(f, width, height)]
        kept.sort(key=lambda f: (-f.size_px, f.bbox_xyxy))
        return kept[: self.config.max_faces]

    def _detection_copy(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
        # The smallest face wanted becomes _SMALLEST_PX pixels; frames are never enlarged.
        shorter = min(pixels.shape[:2])
        scale = min(1.0, _SMALLEST_PX / (self.config.min_face_fraction * shorter))
        if scale == 1.0:
            return pixels, 1.0
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), scale

    def _run_brightened(
        self, pixels: NDArray[np.uint8], found: tuple[Any, Any, Any]
    ) -> tuple[Any, Any, Any]:
        """Look again at a dark frame with its mid-tones lifted; its crops stay as dark as it is."""
        mean = float(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).mean()) / 255.0
        if mean >= _DARK_BELOW:
            return found
        exponent = np.log(_LIFTED_MEAN) / np.log(max(mean, 0.01))
        table = np.round(255.0 * (np.arange(256) / 255.0) ** exponent).astype(np.uint8)
        return self._run(np.asarray(cv2.LUT(pixels, table), dtype=np.uint8))

    def _run(self, pixels: NDArray[np.uint8]) -> tuple[Any, Any, Any]:
        try:
            boxes, confidences, landmarks = self._mtcnn.detect(pixels, landmarks=True)
        except RuntimeError as error:
            # Torch reports empty stages of the cascade as a failed concatenation.
            if "expected a non-empty list" in str(error):
                return (), (), ()
            raise FaceError(f"the face detector failed ({error})") from error
        return ((), (), ()) if boxes is None else (boxes, confidences, landmarks)

    def _is_kept(self, face: Face, width: int, height: int) -> bool:
        center_x, center_y = face.center_xy
        is_inside = 0 <= center_x < width and 0 <= center_y < height
        return is_inside and face.size_px >= self.config.min_face_fraction * min(width, height)


def _to_face(box: NDArray[Any], points: NDArray[Any], confidence: float) -> Face | None:
    left, top, right, bottom = (float(value) for value in box)
    if not (right > left and bottom > top):
        return None
    return Face(
        bbox_xyxy=(left, top, right, bottom),
        landmarks=tuple((float(x), float(y)) for x, y in points),
        confidence=min(1.0, confidence),
    )
