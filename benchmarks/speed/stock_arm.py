"""The comparison arm: a short script with stock libraries.

OpenCV decodes, facenet-pytorch's MTCNN with its defaults searches the full frame, timm's classifier
runs eagerly. The crops are made by this project's function, of the faces that it would keep, so
that both paths classify the same faces; they are not encoded in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from benchmarks.speed.clips import Clip
from benchmarks.speed.timer import Work
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import to_input
from deepfake.extract.extractor import limit_threads
from deepfake.extract.faces import crop_face
from deepfake.types import Face

__all__ = ["StockPath", "detect_by_mtcnn", "read_by_opencv"]

_BATCH = 32
"""Crops of one clip in a forward pass; more take longer each on a CPU."""

Pixels = NDArray[np.uint8]


class StockPath:
    """Scores one clip after another as a script of twenty lines would.

    Args:
        bundle_path: The detector, so that weights, input and crops are those of the other arms.
    """

    def __init__(self, bundle_path: Path) -> None:
        limit_threads()
        bundle = load_bundle(bundle_path)
        self._spec = bundle.spec
        self._mtcnn = MTCNN(keep_all=True)
        network = timm.create_model(self._spec.architecture, num_classes=1)
        network.load_state_dict(bundle.state_dict())
        # Two thirds of the time of the default layout: it is given the better one.
        self._network = network.eval().to(memory_format=torch.channels_last)

    def run(self, clip: Clip) -> Work:
        """Score a clip from the frames that its plan names."""
        frames, crops = 0, []
        for pixels in read_by_opencv(clip.path, indices=clip.indices):
            frames += 1
            crops += [self._crop(pixels, face) for face in self._faces(pixels)]
        self._logits(crops)
        return Work(frames=frames, faces=len(crops))

    def _faces(self, pixels: Pixels) -> list[Face]:
        config = self._spec.faces
        smallest = config.min_face_fraction * min(pixels.shape[:2])
        return [
            face
            for face in detect_by_mtcnn(self._mtcnn, pixels)
            if face.confidence >= config.min_confidence and face.size_px >= smallest
        ]

    def _crop(self, pixels: Pixels, face: Face) -> Pixels:
        return crop_face(pixels, face, config=self._spec.crop).pixels

    def _logits(self, crops: Sequence[Pixels]) -> list[float]:
        spec, logits = self._spec, []
        with torch.inference_mode():
            for start in range(0, len(crops), _BATCH):
                batch = to_input(
                    crops[start : start + _BATCH],
                    input_size=spec.input_size,
                    mean=spec.mean,
                    std=spec.std,
                )
                logits += self._network(batch).reshape(-1).tolist()
        return logits


def read_by_opencv(path: Path, *, indices: Sequence[int]) -> Iterator[Pixels]:
    """Yield the frames with the given indices, RGB: grab them all, decode into an array the wanted.

    Raises:
        RuntimeError: OpenCV does not open the file.
    """
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        if not capture.isOpened():
            raise RuntimeError("OpenCV does not open the file")
        wanted = frozenset(indices)
        for index in range(max(indices, default=-1) + 1):
            if not capture.grab():
                return
            if index in wanted:
                is_read, pixels = capture.retrieve()
                if is_read:
                    yield np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        capture.release()


def detect_by_mtcnn(mtcnn: MTCNN, pixels: Pixels) -> list[Face]:
    """Return what facenet-pytorch finds in one frame; boxes without a pixel in it are left out."""
    boxes, confidences, points = mtcnn.detect(pixels, landmarks=True)
    if boxes is None:
        return []
    height, width = pixels.shape[:2]
    found = zip(boxes.tolist(), confidences.tolist(), points.tolist(), strict=True)
    return [
        Face(
            bbox_xyxy=(left, top, right, bottom),
            landmarks=tuple((x, y) for x, y in marks),
            confidence=min(1.0, confidence),
        )
        for (left, top, right, bottom), confidence, marks in found
        if min(right, width) > max(left, 0) and min(bottom, height) > max(top, 0)
    ]
