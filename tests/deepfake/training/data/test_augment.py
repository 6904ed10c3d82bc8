"""Augmentations change pictures as said, and nothing else decides how but the generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from deepfake.config import AugmentConfig
from deepfake.training.data.augment import RandomDownscale, cover_feature, create_augmentation

NOTHING = AugmentConfig(
    flip_p=0, jpeg_p=0, blur_p=0, noise_p=0, downscale_p=0, color_p=0, crop_scale=(1.0, 1.0)
)
EVERYTHING = AugmentConfig(flip_p=1, jpeg_p=1, blur_p=1, noise_p=1, downscale_p=1, color_p=1)


@pytest.fixture
def picture() -> Tensor:
    # Detail and flat ground, left and right different.
    pixels = torch.full((3, 64, 64), 90, dtype=torch.uint8)
    pixels[:, ::2, :32] = 200
    pixels[0, :, 40:] = 20
    return pixels


def _detail(picture: Tensor) -> float:
    values = picture.float()
    return float((values[:, 1:, :] - values[:, :-1, :]).abs().mean())


@pytest.mark.parametrize("size", [48, 64, 96])
def test_result_is_a_picture_of_the_input_size(picture: Tensor, size: int) -> None:
    changed = create_augmentation(EVERYTHING, input_size=size)(picture)
    assert changed.shape == (3, size, size)
    assert changed.dtype == torch.uint8


def test_equal_seeds_give_equal_pictures_and_others_do_not(picture: Tensor) -> None:
    augment = create_augmentation(EVERYTHING, input_size=64)

    def drawn(seed: int) -> Tensor:
        torch.manual_seed(seed)
        np.random.seed(seed + 17)  # noqa: NPY002 - nothing may draw from it
        return augment(picture)

    first, other = drawn(3), drawn(4)
    np.random.seed(0)  # noqa: NPY002
    assert torch.equal(drawn(3), first)
    assert not torch.equal(first, other)


def test_input_is_not_changed(picture: Tensor) -> None:
    before = picture.clone()
    create_augmentation(EVERYTHING, input_size=64)(picture)
    assert torch.equal(picture, before)


@pytest.mark.parametrize(
    ("changes", "loses_detail"),
    [
        ({"blur_p": 1, "blur_sigma": (1.5, 1.5)}, True),
        ({"downscale_p": 1, "downscale_range": (0.35, 0.35)}, True),
        ({"jpeg_p": 1, "jpeg_quality": (5, 5)}, None),
        ({"noise_p": 1, "noise_sigma": 0.2}, False),
        ({"color_p": 1, "color_strength": 0.9}, None),
        ({"flip_p": 1}, None),
    ],
)
def test_each_branch_does_its_own(
    picture: Tensor, changes: dict[str, object], loses_detail: bool | None
) -> None:
    torch.manual_seed(0)
    config = AugmentConfig.model_validate({**NOTHING.model_dump(), **changes})
    changed = create_augmentation(config, input_size=64)(picture)
    assert not torch.equal(changed, picture)
    if loses_detail is True:
        assert _detail(changed) < 0.8 * _detail(picture)
    if loses_detail is False:
        assert _detail(changed) > _detail(picture)


def test_flip_swaps_left_and_right(picture: Tensor) -> None:
    # A full crop is still stretched by the ratio that is drawn, unless it cannot be cut.
    torch.manual_seed(0)
    flip = NOTHING.model_copy(update={"flip_p": 1.0})
    changed = create_augmentation(flip, input_size=64)(picture).float()
    assert changed[0, :, :20].mean() < 40
    assert changed[:, :, 40:].mean() > 100


def test_downscale_keeps_size_and_mean(picture: Tensor) -> None:
    shrunk = RandomDownscale(scale=(0.5, 0.5))(picture)
    assert shrunk.shape == picture.shape
    assert float(shrunk.float().mean()) == pytest.approx(float(picture.float().mean()), abs=2)


def test_a_frame_of_a_video_loses_what_x264_takes(picture: Tensor) -> None:
    kept = NOTHING.model_copy(update={"h264_p": 1.0, "h264_crf": (1, 1)})
    poor = NOTHING.model_copy(update={"h264_p": 1.0, "h264_crf": (51, 51)})
    seen = [create_augmentation(c, input_size=64)(picture) for c in (NOTHING, kept, poor)]
    losses = [float((s.float() - seen[0].float()).abs().mean()) for s in seen]
    assert losses[0] == 0
    assert losses[1] < losses[2] / 3
    assert _detail(seen[2]) < 0.9 * _detail(seen[0])


def test_one_feature_is_covered_and_the_rest_stays() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(100, 100, 3), dtype=np.uint8)
    landmarks = np.array([(35, 40), (65, 40), (50, 55), (40, 72), (60, 72)], dtype=np.float64)
    seen = set()
    for seed in range(12):
        covered = cover_feature(pixels, landmarks, rng=np.random.default_rng(seed))
        rows = np.flatnonzero((covered != pixels).any(axis=(1, 2)))
        assert 0 < len(rows) < 50
        patch = covered[rows[0] : rows[-1] + 1][:, (covered != pixels).any(axis=(0, 2))]
        assert len(np.unique(patch.reshape(-1, 3), axis=0)) == 1, "one colour"
        middle = (rows[0] + rows[-1]) / 2
        seen.add(min((40, 55, 72), key=lambda at: abs(at - middle)))
    assert seen == {40, 55, 72}, "eyes, nose and mouth in turn"


def test_a_feature_outside_of_the_picture_is_left() -> None:
    pixels = np.full((50, 50, 3), 9, dtype=np.uint8)
    away = np.array([(-40, -40), (-20, -40), (-30, -30), (-38, -20), (-22, -20)], dtype=np.float64)
    assert cover_feature(pixels, away, rng=np.random.default_rng(0)) is pixels


def test_black_edge_surrounds_a_smaller_picture() -> None:
    white = torch.full((3, 100, 100), 255, dtype=torch.uint8)
    config = NOTHING.model_copy(update={"black_edge_p": 1.0, "black_edge": (0.25, 0.25)})
    augment = create_augmentation(config, input_size=100)
    places = set()
    for seed in range(30):
        torch.manual_seed(seed)
        shown = augment(white)
        assert shown.shape == (3, 100, 100)
        is_shown = shown[0] > 0
        assert int(is_shown.sum()) == 80 * 80
        places.add(tuple(is_shown.nonzero()[0].tolist()))
    assert {place for pair in places for place in pair} == {0, 10, 20}


def test_several_kernels_enlarge_differently(picture: Tensor) -> None:
    def drawn(kernels: str) -> set[bytes]:
        downscale = RandomDownscale(scale=(0.3, 0.3), kernels=kernels)  # type: ignore[arg-type]
        shown = set()
        for seed in range(40):
            torch.manual_seed(seed)
            shown.add(downscale(picture).numpy().tobytes())
        return shown

    assert len(drawn("smooth")) == 1
    assert len(drawn("several")) == 3


def test_younger_settings_are_written_only_where_they_are_used() -> None:
    assert not {"black_edge_p", "downscale_kernels"} & set(AugmentConfig().model_dump())
    used = EVERYTHING.model_copy(update={"black_edge_p": 0.5})
    assert used.model_dump()["black_edge_p"] == 0.5
