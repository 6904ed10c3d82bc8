"""Locate 468 landmarks of a face with MediaPipe's face mesh, in OpenVINO.

Source: Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs,
CVPR workshops 2019. The network is `face_landmark/face_landmark.tflite` (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepfake.compute.openvino import compile_engine, read_graph
from deepfake.errors import ModelError
from deepfake.storage import sha256_of

__all__ = ["DENSE_MODEL_SHA256", "NUM_DENSE_LANDMARKS", "DenseLandmarker"]

NUM_DENSE_LANDMARKS = 468

DENSE_MODEL_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"
"""Of the network's file; landmarks that are kept on disk are named after it."""

_MODEL = Path(__file__).parent / "face_landmark" / "face_landmark.tflite"

_INPUT_PX = 192

_EYE_MOUTH_SIDES, _EYE_SIDES = 3.2, 2.9
"""Side of the network's square, in distances from eyes to mouth and between the eyes: the larger
counts."""

_MAX_OFF = 0.6
"""How far the middles of eyes and mouth may lie from the five landmarks', over the distance between
those. Of 600 faces half are within 0.07 and 95 % within 0.41; turned heads are farthest off."""

_EYE_CORNERS = (33, 133, 263, 362)
_MOUTH_CORNERS = (61, 291)


class DenseLandmarker:
    """Locates 468 landmarks of a face whose five are known. One thread at a time may use it.

    Args:
        min_confidence: Below it, the network's probability that it was shown a face, there is no
            good answer.
        num_threads: Of the network.

    Raises:
        ModelError: The network's file is missing or was changed.
    """

    def __init__(self, *, min_confidence: float = 0.8, num_threads: int = 1) -> None:
        if sha256_of(_MODEL) != DENSE_MODEL_SHA256:
            raise ModelError(
                "the file was changed: its SHA-256 is another",
                path=_MODEL,
                hint="Install the package again.",
            )
        self._min_confidence = min_confidence
        self._engine = compile_engine(
            read_graph(_MODEL),
            input_shape=(1, _INPUT_PX, _INPUT_PX, 3),
            num_threads=num_threads,
        )

    def locate(self, pixels: NDArray[np.uint8], landmarks: ArrayLike) -> NDArray[np.float32] | None:
        """Return the landmarks of one face, None where the network gives no good answer.

        Coordinates are of edges, as in `landmarks_in_square`.

        Args:
            pixels: The picture, RGB, shape (H, W, 3), uint8.
            landmarks: Eyes, nose, mouth corners in its pixels, shape (5, 2).

        Returns:
            x and y in the picture's pixels, shape (468, 2). The order is that of MediaPipe.
        """
        five = np.asarray(landmarks, dtype=np.float64)
        if not np.isfinite(five).all():
            return None
        to_square = _to_level_square(five)
        # OpenCV counts from the middle of a pixel.
        centred = to_square.copy()
        centred[:, 2] += to_square[:, :2] @ (0.5, 0.5) - 0.5
        square = cv2.warpAffine(pixels, centred, (_INPUT_PX, _INPUT_PX), flags=cv2.INTER_LINEAR)
        outputs = self._engine.run(square[None].astype(np.float32) / 255.0)
        mesh, face_logit = (out.reshape(-1) for out in outputs[:2])
        if 1.0 / (1.0 + np.exp(-float(face_logit[-1]))) < self._min_confidence:
            return None
        flat = mesh.reshape(NUM_DENSE_LANDMARKS, 3)[:, :2].astype(np.float64)
        back = cv2.invertAffineTransform(to_square)
        points = (flat @ back[:, :2].T + back[:, 2]).astype(np.float32)
        return points if _agree(points, five) else None


def _agree(points: NDArray[np.float32], five: NDArray[np.float64]) -> bool:
    """Return whether eyes and mouth lie where the five landmarks have them."""
    eyes, mouth = five[:2].mean(axis=0), five[3:].mean(axis=0)
    gaps = (
        points[list(_EYE_CORNERS)].mean(axis=0) - eyes,
        points[list(_MOUTH_CORNERS)].mean(axis=0) - mouth,
    )
    most = _MAX_OFF * float(np.hypot(*(mouth - eyes)))
    return bool(np.isfinite(points).all()) and all(float(np.hypot(*gap)) <= most for gap in gaps)


def _to_level_square(five: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 3) matrix from a picture to a square in which the eyes are level."""
    eyes, mouth = five[:2].mean(axis=0), five[3:].mean(axis=0)
    across = five[1] - five[0]
    eye_mouth, eye_eye = float(np.hypot(*(mouth - eyes))), float(np.hypot(*across))
    side = max(_EYE_MOUTH_SIDES * eye_mouth, _EYE_SIDES * eye_eye, 1.0)
    angle = float(np.arctan2(across[1], across[0]))
    scale = _INPUT_PX / side
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = _INPUT_PX / 2 - turn @ ((eyes + mouth) / 2)
    return np.column_stack([turn, shift])
