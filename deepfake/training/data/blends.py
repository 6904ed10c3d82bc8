"""Blend a fake out of a stored crop, by hulls of five landmarks or by parts drawn after 468."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import CropConfig, SelfBlendConfig
from deepfake.detectors.inference import resize_square
from deepfake.extract.faces import NUM_DENSE_LANDMARKS
from deepfake.training.data.crops import file_codes, labels_of
from deepfake.training.data.dense_landmarks import dense_landmarks_of
from deepfake.training.data.other_face import SimilarFaces, blend_other_face
from deepfake.training.data.region_blend import blend_region
from deepfake.training.data.self_blend import SelfBlend, are_usable_landmarks, draw_self_blend
from deepfake.training.data.stored_squares import landmarks_of, native_sides
from deepfake.training.data.views import ShownSquare, at_native_size
from deepfake.types import Pixels

__all__ = ["CropBlender"]


class CropBlender:
    """Makes a real and a fake of each real crop of a table.

    Masks after 468 landmarks are blended at the resolution that the face had in its frame: a
    border that was drawn in an enlarged crop would be finer than any that a forger leaves.

    Args:
        crops: Rows of `collect_crops`.
        crop: How they were stored.
        config: How fakes are made.
        pixels_of: Gives the stored crop of a row; needed where parts come from other faces.
        num_workers: Processes that locate 468 landmarks, where they are needed and not kept.

    Raises:
        ValueError: Parts come from other faces, and nothing gives these.
    """

    def __init__(
        self,
        crops: pd.DataFrame,
        *,
        crop: CropConfig,
        config: SelfBlendConfig,
        pixels_of: Callable[[int], Pixels] | None = None,
        num_workers: int = 0,
    ) -> None:
        self._config = config
        self._landmarks = landmarks_of(crops, crop=crop)
        self._sides = native_sides(crops, crop=crop)
        self._dense = (
            _dense_of_reals(crops, crop=crop, num_workers=num_workers)
            if config.masks == "dense"
            else None
        )
        self._pixels_of, self._others = pixels_of, None
        if config.dense.other_face_p and self._dense is not None:
            if pixels_of is None:
                raise ValueError("parts of other faces need the crops of these")
            self._others = SimilarFaces(self._dense, files=file_codes(crops))

    def blend(self, pixels: Pixels, row: int, *, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        """Return a real and a fake, each (S, S, 3), uint8.

        Args:
            pixels: The crop as it is stored, shape (S, S, 3), uint8; is not changed.
            row: Its row of the table.
            rng: All that is random.

        Raises:
            DataError: The five landmarks are not those of a face in the crop.
        """
        pair = self.blend_crop(pixels, row, rng=rng)
        return pair.real, pair.fake

    def blend_crop(self, pixels: Pixels, row: int, *, rng: np.random.Generator) -> SelfBlend:
        """Return what `blend` does, and the mask; arguments and errors as there."""
        size = pixels.shape[0]
        if not self._has_dense(row):
            return self.blend_shown(ShownSquare(pixels), row, rng=rng)
        side = int(self._sides[row])
        native = ShownSquare(resize_square(pixels, size=side), side / size)
        pair = self.blend_shown(native, row, rng=rng)
        return SelfBlend(
            real=resize_square(pair.real, size=size),
            fake=resize_square(pair.fake, size=size),
            mask=_mask_of_size(pair.mask, size),
        )

    def blend_shown(self, shown: ShownSquare, row: int, *, rng: np.random.Generator) -> SelfBlend:
        """Return a real and a fake of a square of a row's crop, and the mask.

        Args:
            shown: The square, at the resolution that blending is to be done at.
            row: Its row of the table.
            rng: All that is random.

        Raises:
            DataError: The five landmarks are not those of a face in the square, and there are no
                468.
        """
        if self._dense is None or not self._has_dense(row):
            five = shown.place(self._landmarks[row])
            return draw_self_blend(shown.pixels, five, rng=rng, config=self._config)
        points = shown.place(self._dense[row].astype(np.float32))
        config = self._config.dense
        if self._others is not None and rng.random() < config.other_face_p:
            blended = self._blend_other(self._others, shown.pixels, points, row, rng=rng)
            if blended is not None:
                return blended
        return blend_region(shown.pixels, points, rng=rng, config=config)

    def can_blend(self, shown: ShownSquare, row: int) -> bool:
        """Return whether a square of a row's crop shows its face."""
        if self._has_dense(row):
            return True
        five = shown.place(self._landmarks[row])
        return are_usable_landmarks(five, size=shown.pixels.shape[0])

    def _blend_other(
        self,
        others: SimilarFaces,
        square: Pixels,
        points: NDArray[np.floating],
        row: int,
        *,
        rng: np.random.Generator,
    ) -> SelfBlend | None:
        assert self._dense is not None
        assert self._pixels_of is not None
        found = others.draw(row, rng=rng)
        if found is None:
            return None
        other = at_native_size(self._pixels_of(found), int(self._sides[found]))
        return blend_other_face(
            square,
            points,
            other=other.pixels,
            other_points=other.place(self._dense[found].astype(np.float32)),
            rng=rng,
            config=self._config.dense,
        )

    def _has_dense(self, row: int) -> bool:
        return self._dense is not None and not np.isnan(self._dense[row, 0, 0])


def _dense_of_reals(
    crops: pd.DataFrame, *, crop: CropConfig, num_workers: int
) -> NDArray[np.float16]:
    dense = np.full((len(crops), NUM_DENSE_LANDMARKS, 2), np.nan, dtype=np.float16)
    is_real = labels_of(crops) == 0
    dense[is_real] = dense_landmarks_of(crops[is_real], crop=crop, num_workers=num_workers)
    return dense


def _mask_of_size(mask: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
