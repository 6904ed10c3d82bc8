"""Blend a fake out of a stored crop, by hulls of five landmarks or by parts drawn after 468."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import CropConfig, SelfBlendConfig
from deepfake.extract.faces import NUM_DENSE_LANDMARKS
from deepfake.training.data.crops import labels_of, landmarks_of, sides_of
from deepfake.training.data.dense_landmarks import dense_landmarks_of
from deepfake.training.data.region_blend import blend_region
from deepfake.training.data.self_blend import self_blend

__all__ = ["CropBlender"]

Picture = NDArray[np.uint8]

_MIN_SIDE_PX = 64
"""A crop is not made smaller than this before it is blended."""


class CropBlender:
    """Makes a real and a fake of each real crop of a table.

    Masks after 468 landmarks are blended at the resolution that the face had in its frame: a
    border that was drawn in an enlarged crop would be finer than any that a forger leaves.

    Args:
        crops: Rows of `collect_crops`.
        crop: How they were stored.
        config: How fakes are made.
        num_workers: Processes that locate 468 landmarks, where they are needed and not kept.
    """

    def __init__(
        self,
        crops: pd.DataFrame,
        *,
        crop: CropConfig,
        config: SelfBlendConfig,
        num_workers: int = 0,
    ) -> None:
        self._config = config
        self._landmarks = landmarks_of(crops, crop=crop)
        self._sides = sides_of(crops, crop=crop)
        self._dense = (
            _dense_of_reals(crops, crop=crop, num_workers=num_workers)
            if config.masks == "dense"
            else None
        )

    def blend(
        self, pixels: Picture, row: int, *, rng: np.random.Generator
    ) -> tuple[Picture, Picture]:
        """Return a real and a fake, each (S, S, 3), uint8.

        Args:
            pixels: The crop as it is stored, shape (S, S, 3), uint8; is not changed.
            row: Its row of the table.
            rng: All that is random.

        Raises:
            DataError: The five landmarks are not those of a face in the crop.
        """
        points = None if self._dense is None else self._dense[row]
        if points is None or np.isnan(points[0, 0]):
            return self_blend(pixels, self._landmarks[row], rng=rng, config=self._config)
        size = pixels.shape[0]
        side = min(size, max(_MIN_SIDE_PX, int(self._sides[row])))
        pair = blend_region(
            _resized(pixels, side),
            points.astype(np.float32) * np.float32(side / size),
            rng=rng,
            config=self._config.dense,
        )
        return _resized(pair.real, size), _resized(pair.fake, size)


def _dense_of_reals(
    crops: pd.DataFrame, *, crop: CropConfig, num_workers: int
) -> NDArray[np.float16]:
    dense = np.full((len(crops), NUM_DENSE_LANDMARKS, 2), np.nan, dtype=np.float16)
    is_real = labels_of(crops) == 0
    dense[is_real] = dense_landmarks_of(crops[is_real], crop=crop, num_workers=num_workers)
    return dense


def _resized(pixels: Picture, side: int) -> Picture:
    if pixels.shape[0] == side:
        return pixels
    interpolation = cv2.INTER_AREA if pixels.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=interpolation), np.uint8)
