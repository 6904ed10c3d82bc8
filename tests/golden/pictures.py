"""Pictures for golden values: public domain, or computed; the same everywhere."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import CropConfig, FaceConfig, SelfBlendConfig
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.extractor import ExtractRequest
from deepfake.extract.faces import MtcnnDetector, crop_face, landmarks_in_square
from deepfake.media import write_image
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.storage import sha256_of, to_uri
from deepfake.training.data.self_blend import self_blend
from tests.sample_data import astronaut

__all__ = ["blended_crops", "golden_crops", "golden_scores", "real_crop"]

Pixels = NDArray[np.uint8]

_CROP = CropConfig()


def golden_crops() -> list[Pixels]:
    """Return fixed crops, (256, 256, 3) each: NASA's portrait of Eileen Collins at three sizes, and
    patterns without a face. The box is given, so that nothing depends on a face detector.
    """
    portrait = astronaut()
    face = portrait[20:236, 116:332]
    crops = []
    for side in (216, 108, 64):
        small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        crops.append(np.asarray(cv2.resize(small, (256, 256), interpolation=cv2.INTER_CUBIC)))
    ramp = np.arange(256, dtype=np.uint8)
    across, down = np.tile(ramp, (256, 1)), np.tile(ramp[:, None], (1, 256))
    crops.append(np.dstack([across, down, across]))
    checks = (np.indices((256, 256)).sum(axis=0) // 8 % 2 * 255).astype(np.uint8)
    crops.append(np.dstack([checks] * 3))
    return [np.ascontiguousarray(crop, dtype=np.uint8) for crop in crops]


def golden_scores(bundle: Path, folder: Path) -> list[float]:
    """Return a bundle's logits of two stills, from files to faces to a score.

    Args:
        bundle: The detector.
        folder: Where the stills are written.
    """
    pixels = astronaut()
    small = cv2.resize(pixels, (300, 300), interpolation=cv2.INTER_AREA)
    scorer = Scorer(ScorerSetup(DetectorIdentity(bundle, "golden")))
    logits = []
    for number, picture in enumerate((pixels, np.asarray(small, dtype=np.uint8))):
        path = write_image(folder / f"{number}.png", picture)
        score = scorer.score(ExtractRequest(to_uri(path), sha256_of(path))).score
        assert score.logit is not None, score.message
        logits.append(score.logit)
    return logits


def real_crop() -> tuple[Pixels, NDArray[np.float64]]:
    """Return the portrait's face as scoring crops it, and its landmarks there."""
    pixels = astronaut()
    face = MtcnnDetector(FaceConfig()).detect(pixels)[0]
    cropped = crop_face(pixels, face, config=_CROP)
    return cropped.pixels, landmarks_in_square(face, cropped.square, size=_CROP.size)


def blended_crops(count: int) -> list[Pixels]:
    """Return as many self-blended fakes of that face."""
    square, landmarks = real_crop()
    config = SelfBlendConfig(source_p=1.0, ratios=(1.0,))
    return [
        self_blend(square, landmarks, rng=np.random.default_rng(seed), config=config)[1]
        for seed in range(count)
    ]
