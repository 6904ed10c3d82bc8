"""Augmentation at a picture's own resolution: equal for a seed, in order, masks go along."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from deepfake.config import AugmentConfig, digest_of
from deepfake.training.data.native_augment import augment_at_native_size, boundary_map
from tests.deepfake.training.face_crops import scaled_face

NOTHING: dict[str, Any] = {
    "resize": "last",
    "crop_scale": (1.0, 1.0),
    **{f"{n}_p": 0.0 for n in ("flip", "jpeg", "blur", "noise", "downscale", "color")},
}


def config_of(**changes: Any) -> AugmentConfig:
    return AugmentConfig(**{**NOTHING, **changes})


def face_square(side: int) -> NDArray[np.uint8]:
    pixels, _ = scaled_face(1.0, within=(130, 20, 320, 210))
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def augmented(pixels: NDArray[np.uint8], seed: int, **changes: Any) -> NDArray[np.uint8]:
    return augment_at_native_size(pixels, seed, config=config_of(**changes), input_size=128)


def test_seed_determines_everything() -> None:
    square = face_square(100)
    before = square.copy()
    everything = {f"{n}_p": 0.5 for n in ("jpeg", "blur", "noise", "downscale", "color", "grey")}
    everything |= {"last_jpeg_p": 0.5, "black_edge_p": 0.5, "keep_small_p": 0.5, "flip_p": 0.5}
    everything |= {"downscale_kernels": "several"}
    found = [augmented(square, seed, **everything) for seed in range(12)]
    for seed, picture in enumerate(found):
        assert picture.shape == (128, 128, 3)
        assert (picture == augmented(square, seed, **everything)).all()
    assert len({picture.tobytes() for picture in found}) == 12
    assert (square == before).all()


def test_pictures_of_two_sizes_are_changed_alike() -> None:
    small, large = face_square(128), face_square(256)
    changes = {"flip_p": 0.5, "color_p": 1.0, "black_edge_p": 1.0, "black_edge": (0.2, 0.4)}
    for seed in range(12):
        one, other = (augmented(p, seed, **changes).astype(int) for p in (small, large))
        assert np.abs(one - other).mean() < 8
    plain = [augmented(small, s).astype(int) for s in (0, 1)]
    assert np.abs(plain[0] - augmented(small, 0, **changes)).mean() > 15


def test_noise_of_a_small_picture_is_enlarged_with_it() -> None:
    def likeness(side: int) -> float:
        grey = np.full((side, side, 3), 128, np.uint8)
        noise = augmented(grey, 3, noise_p=1.0, noise_sigma=0.1).astype(float)[..., 0] - 128
        return float(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1])

    assert likeness(40) > 0.5
    assert abs(likeness(128)) < 0.1


def test_last_jpeg_is_of_the_networks_size() -> None:
    def blockiness(**changes: Any) -> float:
        found = augmented(face_square(60), 5, **changes).astype(float).mean(axis=2)
        steps = np.abs(np.diff(found, axis=1)).mean(axis=0)
        return float(steps[7::8].mean() / np.delete(steps, np.s_[7::8]).mean())

    rough = {"last_jpeg_p": 1.0, "last_jpeg_quality": (8, 10)}
    assert blockiness(**rough) > 1.5
    assert blockiness(jpeg_p=1.0, jpeg_quality=(8, 10)) < 1.2


def test_downscaled_picture_may_stay_small() -> None:
    square = face_square(128)
    changes = {"downscale_p": 1.0, "downscale_range": (0.3, 0.3), "noise_p": 1.0}
    small = augmented(square, 1, **changes, keep_small_p=1.0, noise_sigma=0.2)
    grown = augmented(square, 1, **changes, keep_small_p=0.0, noise_sigma=0.2)
    # Noise that came when the picture was small is as coarse as its pixels.
    details = [cv2.Laplacian(one, cv2.CV_32F).var() for one in (small, grown)]
    assert details[0] < 0.5 * details[1]


def test_grey_and_gain_change_colours() -> None:
    square = face_square(64)
    grey = augmented(square, 0, grey_p=1.0)
    assert np.ptp(grey.astype(int), axis=2).max() <= 1
    means = np.array([augmented(square, s, color_p=1.0).mean(axis=(0, 1)) for s in range(60)])
    ratios = means / square.mean(axis=(0, 1))
    assert ratios.min() < 0.85
    assert ratios.max() > 1.15
    assert np.ptp(ratios, axis=1).max() > 0.1, "some channels have a gain of their own"


def test_boundary_goes_with_the_picture() -> None:
    mask = np.zeros((90, 90), np.float32)
    cv2.circle(mask, (30, 45), 20, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)
    picture = np.repeat((255 * mask).round().astype(np.uint8)[..., None], 3, axis=2)
    config = config_of(flip_p=0.5, black_edge_p=0.7, black_edge=(0.1, 0.4))
    middles = set()
    for seed in range(20):
        shown = augment_at_native_size(picture, seed, config=config, input_size=128)
        weight = shown[..., 0].astype(np.float32) / 255
        wanted = cv2.resize(4 * weight * (1 - weight), (16, 16), interpolation=cv2.INTER_AREA)
        found = boundary_map(mask, side=16, config=config, seed=seed, input_size=128)
        assert found.shape == (16, 16)
        assert 0 <= found.min() <= found.max() <= 1
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.97
        middles.add(bool(found[:, :8].sum() > found[:, 8:].sum()))
    assert middles == {True, False}
    plain = boundary_map(mask, side=16, config=None, seed=0, input_size=128)
    assert plain[8, 5] < 0.1 < plain.max(), "inside of what was blended in is no boundary"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resize": "last"}, "crop_scale must be 1 to 1"),
        ({"keep_small_p": 0.5}, 'keep_small_p needs resize = "last"'),
        ({"last_jpeg_p": 0.5}, 'last_jpeg_p needs resize = "last"'),
        ({"grey_p": 0.5}, 'grey_p needs resize = "last"'),
    ],
)
def test_what_would_do_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AugmentConfig(**changes)


def test_older_settings_keep_their_digest() -> None:
    assert digest_of(AugmentConfig()) == "90a24d60131ee652"
    assert "resize" not in AugmentConfig().model_dump()
    changed = config_of(last_jpeg_p=0.5)
    assert AugmentConfig.model_validate(changed.model_dump(mode="json")) == changed
