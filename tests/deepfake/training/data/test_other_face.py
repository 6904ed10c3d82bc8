"""Blends of two faces: whose, how they are placed and coloured, and what stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import CropConfig, DenseBlendConfig, SelfBlendConfig, digest_of
from deepfake.extract.faces import DenseLandmarker
from deepfake.training.data import CropBlender, collect_crops
from deepfake.training.data.other_face import SimilarFaces, blend_other_face
from tests.deepfake.training.face_crops import FacePicture, face_pictures, scaled_face, write_faces

CONFIG = DenseBlendConfig()
SHARP = DenseBlendConfig(resolution_p=0.0)


def located(factor: float = 1.0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    pixels, face = scaled_face(factor, within=(130, 20, 320, 210))
    points = DenseLandmarker().locate(pixels, np.asarray(face.landmarks))
    assert points is not None
    return pixels, points


def blended(
    square: NDArray[np.uint8], points: Any, other: Any, seed: int, config: Any = CONFIG
) -> Any:
    return blend_other_face(
        square,
        points,
        other=other[0],
        other_points=other[1],
        rng=np.random.default_rng(seed),
        config=config,
    )


def test_real_is_the_picture_and_the_fake_differs_inside_of_the_mask() -> None:
    square, points = located()
    before = square.copy()
    other = (np.ascontiguousarray(255 - square), points)
    gaps = []
    for seed in range(20):
        pair = blended(square, points, other, seed)
        assert (pair.real == square).all()
        outside = pair.mask == 0
        assert (pair.fake[outside] == square[outside]).all()
        assert 0.7 < pair.mask.max() <= 1
        gaps.append(np.abs(pair.fake.astype(int) - square).max())
    assert (square == before).all()
    assert min(gaps) > 6


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_other_face_is_laid_onto_this_one(factor: float) -> None:
    square, points = located()
    turn = cv2.getRotationMatrix2D((95 * factor, 95 * factor), 20, 1.0)
    pixels, own = located(factor)
    turned = cv2.warpAffine(pixels, turn, pixels.shape[:2], borderMode=cv2.BORDER_REFLECT)
    other = (np.asarray(turned, np.uint8), (own @ turn[:, :2].T + turn[:, 2]).astype(np.float32))
    for seed in range(12):
        pair = blended(square, points, other, seed, SHARP)
        weight = pair.mask[..., None] > 0.5
        off = np.abs(pair.fake.astype(float) - square)[weight[..., 0]].mean()
        # The same face elsewhere would be off by as much as it is from its shifted self.
        shifted = np.abs(np.roll(square, 5, axis=(0, 1)).astype(float) - square)[weight[..., 0]]
        assert off < 0.8 * shifted.mean()


def test_colours_are_matched_within_the_mask() -> None:
    square, points = located()
    blue = np.clip(square.astype(int) * (0.5, 0.7, 1.2), 0, 255).astype(np.uint8)
    for seed in range(12):
        pair = blended(square, points, (blue, points), seed, SHARP)
        inside = pair.mask > 0.5
        off = np.abs(pair.fake[inside].mean(axis=0) - square[inside].mean(axis=0))
        assert off.max() < 0.35 * np.abs(blue[inside].mean(0) - square[inside].mean(0)).max()


def test_a_similar_face_of_another_file_is_taken() -> None:
    rng = np.random.default_rng(0)
    shape = rng.uniform(0, 100, size=(468, 2)).astype(np.float32)
    wide = shape * (1.5, 1.0)
    # Rows 0 to 2 are of one file; 4 is row 0 turned bigger and moved; 6 has no landmarks.
    dense = np.stack(
        [shape, shape, shape, wide, 2 * shape + 30, wide + 5, np.full_like(shape, np.nan)]
    )
    dense = np.concatenate(
        [dense, np.repeat(wide[None], 5, axis=0) + rng.normal(0, 3, (5, 468, 2))]
    )
    files = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    faces = SimilarFaces(dense.astype(np.float16), files=files)
    drawn = [faces.draw(0, rng=np.random.default_rng(seed)) for seed in range(60)]
    assert not {0, 1, 2, 6} & set(drawn)
    assert 4 in drawn
    assert len(set(drawn)) == 3, "one of the three nearest"
    alone = SimilarFaces(dense[:3], files=files[:3])
    assert alone.draw(0, rng=rng) is None


def test_share_of_other_faces_is_as_asked_for(tmp_path: Path) -> None:
    crop = CropConfig(size=160, edge="inside")
    pixels, face = scaled_face(1.0)
    other = FacePicture(np.ascontiguousarray(pixels[..., ::-1]), face)
    crops = collect_crops([write_faces(tmp_path, [*face_pictures({"train": 1}), other], crop=crop)])

    def from_other(share: float) -> float:
        dense = DenseBlendConfig(other_face_p=share)
        asked: list[int] = []
        square = np.full((160, 160, 3), 90, np.uint8)

        def pixels_of(row: int) -> NDArray[np.uint8]:
            asked.append(row)
            return square

        config = SelfBlendConfig(masks="dense", dense=dense)
        blender = CropBlender(crops, crop=crop, config=config, pixels_of=pixels_of)
        for seed in range(40):
            blender.blend(square, 0, rng=np.random.default_rng(seed))
        assert set(asked) <= {1}
        return len(asked) / 40

    assert from_other(0.0) == 0
    assert from_other(0.3) == pytest.approx(0.3, abs=0.2)
    assert from_other(1.0) == 1
    with pytest.raises(ValueError, match="need the crops"):
        CropBlender(
            crops,
            crop=crop,
            config=SelfBlendConfig(masks="dense", dense=DenseBlendConfig(other_face_p=0.1)),
        )


def test_settings_without_other_faces_keep_their_digest() -> None:
    assert "other_face_p" not in DenseBlendConfig().model_dump()
    with_others = DenseBlendConfig(other_face_p=0.3)
    assert digest_of(with_others) != digest_of(DenseBlendConfig())
    assert DenseBlendConfig.model_validate(with_others.model_dump(mode="json")) == with_others
