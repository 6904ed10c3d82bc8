"""Self-blended images: what may change, what may not, and that the generator alone decides."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepfake.config import SelfBlendConfig
from deepfake.errors import DataError
from deepfake.training.data.self_blend import (
    HULLS,
    SelfBlend,
    are_usable_landmarks,
    draw_self_blend,
    self_blend,
)
from tests.sample_data import FACE_BOX, astronaut

CONFIG = SelfBlendConfig()
SIZE = 128
FRONTAL = np.array([(0.35, 0.4), (0.65, 0.4), (0.5, 0.55), (0.39, 0.7), (0.61, 0.7)])

_angles = st.floats(-40, 40)
_turns = st.floats(-0.15, 0.15)
_seeds = st.integers(0, 2**32 - 1)


def picture(seed: int = 0, size: int = SIZE) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, size=(size // 4, size // 4, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def posed(angle: float = 0.0, turn: float = 0.0, size: int = SIZE) -> NDArray[np.float64]:
    """Return landmarks of a head that is tilted and turned."""
    points = FRONTAL - 0.5
    points[2, 0] += turn
    sin, cos = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    return np.asarray((points @ np.array([[cos, sin], [-sin, cos]]) + 0.5) * size)


def drawn(seed: int, config: SelfBlendConfig = CONFIG, size: int = SIZE) -> SelfBlend:
    rng = np.random.default_rng(seed)
    return draw_self_blend(picture(size=size), posed(size=size), rng=rng, config=config)


@settings(max_examples=60)
@given(_seeds, _angles, _turns, st.sampled_from([48, 64, 128, 200]))
def test_outside_of_the_mask_nothing_differs(
    seed: int, angle: float, turn: float, size: int
) -> None:
    pair = draw_self_blend(
        picture(seed % 5, size),
        posed(angle, turn, size),
        rng=np.random.default_rng(seed),
        config=CONFIG,
    )
    for made in (pair.real, pair.fake):
        assert made.shape == (size, size, 3)
        assert made.dtype == np.uint8
    assert pair.mask.shape == (size, size)
    assert pair.mask.min() >= 0
    assert pair.mask.max() <= 1 + 1e-5
    outside = pair.mask == 0
    assert outside.any()
    assert (pair.fake[outside] == pair.real[outside]).all()


@settings(max_examples=60)
@given(_seeds, _angles, _turns)
def test_mask_covers_the_middle_of_the_face_and_spares_the_corners(
    seed: int, angle: float, turn: float
) -> None:
    points = posed(angle, turn)
    pair = draw_self_blend(picture(), points, rng=np.random.default_rng(seed), config=CONFIG)
    x, y = points[2:].mean(axis=0).astype(int)
    assert pair.mask[y, x] > 0.2 * pair.mask.max() > 0
    assert pair.mask[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.05


def test_blend_ratios_are_drawn_as_often_as_they_stand_there() -> None:
    strongest = np.array([drawn(seed).mask.max() for seed in range(240)])
    ratios = strongest.round(2)
    assert np.mean(ratios == 1.0) == pytest.approx(0.5, abs=0.12)
    for ratio in (0.25, 0.5, 0.75):
        assert np.mean(ratios == ratio) == pytest.approx(1 / 6, abs=0.09)


def test_equal_seeds_give_equal_pairs_and_others_do_not() -> None:
    first, again, other = drawn(3), drawn(3), drawn(4)
    assert (first.fake == again.fake).all()
    assert (first.real == again.real).all()
    assert (first.fake != other.fake).any()
    np.random.seed(1)  # noqa: NPY002 - nothing may draw from it
    assert (drawn(3).fake == first.fake).all()


def test_fake_differs_from_its_real_in_most_draws() -> None:
    gaps = [
        np.abs(p.fake.astype(int) - p.real.astype(int)).max()
        for p in (drawn(seed) for seed in range(60))
    ]
    assert np.mean(np.array(gaps) >= 8) > 0.95


def test_square_is_real_or_source_and_is_not_changed() -> None:
    square = picture()
    before = square.copy()
    kept = 0
    for seed in range(60):
        real, _ = self_blend(square, posed(), rng=np.random.default_rng(seed), config=CONFIG)
        kept += bool((real == square).all())
        assert (square == before).all()
    assert 18 <= kept <= 42, "source and target are changed equally often"


def test_nothing_is_blended_with_ratio_nought() -> None:
    config = CONFIG.model_copy(update={"ratios": (0.0,)})
    for seed in range(20):
        pair = drawn(seed, config)
        assert (pair.fake == pair.real).all()


def test_full_mask_shows_the_source_itself() -> None:
    plain = SelfBlendConfig(
        source_p=1,
        shift_p=0,
        saturation=0,
        value=0.2,
        brightness=0,
        contrast=0,
        downscale_p=0,
        sharpen=(0, 0),
        shift_xy=(0, 0),
        min_scale=1,
        ratios=(1.0,),
    )
    square = np.full((SIZE, SIZE, 3), 100, np.uint8)
    pair = draw_self_blend(square, posed(), rng=np.random.default_rng(0), config=plain)
    assert (pair.real == 100).all()
    inside = pair.fake[pair.mask > 0.999]
    assert len(inside) > 200
    assert inside.min() == inside.max() != 100
    assert 80 <= inside[0, 0] <= 120


@pytest.mark.parametrize("factor", [2, 4])
def test_resolution_is_taken_away_by_the_factor(factor: int) -> None:
    coarse = CONFIG.model_copy(
        update={"source_p": 0.0, "downscale_p": 1.0, "downscale_factors": (factor,)}
    )
    sharp = coarse.model_copy(update={"downscale_p": 0.0})

    def detail(config: SelfBlendConfig) -> float:
        noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        rng = np.random.default_rng(1)
        real, _ = self_blend(noise, posed(), rng=rng, config=config)
        return float(cv2.Laplacian(real, cv2.CV_32F).var())

    assert detail(coarse) < 0.3 * detail(sharp)


def test_masks_have_varied_forms() -> None:
    masks = np.array([drawn(seed).mask > 0.1 for seed in range(60)])
    areas = masks.mean(axis=(1, 2))
    assert areas.std() > 0.03
    assert 0.05 < areas.min() < areas.max() < 0.75
    forehead = masks[:, int(0.28 * SIZE), SIZE // 2]
    chin = masks[:, int(0.82 * SIZE), SIZE // 2]
    assert 0.1 < forehead.mean() < 0.7
    assert 0.3 < chin.mean() < 0.95
    assert len(HULLS) == 3


def test_mask_scales_with_the_square() -> None:
    small, large = (np.mean([drawn(s, size=n).mask.mean() for s in range(40)]) for n in (64, 256))
    assert small == pytest.approx(large, rel=0.2)


def test_kernels_that_swallow_the_face_leave_a_mask() -> None:
    wide = CONFIG.model_copy(update={"blur_kernel": (201, 201)})
    assert all(drawn(seed, wide).mask.max() > 0.02 for seed in range(10))


@pytest.mark.parametrize(
    "landmarks",
    [
        np.full((5, 2), 60.0),
        [(10.0 * i, 10.0) for i in range(5)],
        posed() + 2 * SIZE,
        posed() * 40,
        posed() * 0.1,
        np.full((5, 2), np.nan),
        posed()[:4],
    ],
    ids=["a point", "a line", "outside", "far apart", "tiny", "not numbers", "four"],
)
def test_landmarks_of_no_face_are_refused(landmarks: NDArray[np.float64]) -> None:
    assert not are_usable_landmarks(landmarks, size=SIZE)
    with pytest.raises(DataError, match="not those of a face"):
        self_blend(picture(), landmarks, rng=np.random.default_rng(0), config=CONFIG)


def test_what_is_no_square_is_refused() -> None:
    with pytest.raises(DataError, match="squares"):
        self_blend(picture()[:-1], posed(), rng=np.random.default_rng(0), config=CONFIG)


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_heads_may_lie_on_their_side(angle: float) -> None:
    assert are_usable_landmarks(posed(angle), size=SIZE)
    middles = [
        np.argwhere(
            draw_self_blend(
                picture(), posed(angle), rng=np.random.default_rng(s), config=CONFIG
            ).mask
            > 0
        ).mean(axis=0)
        for s in range(20)
    ]
    assert np.mean(middles, axis=0) == pytest.approx([SIZE / 2] * 2, abs=0.12 * SIZE)


def test_profile_whose_eyes_fall_together_has_a_mask() -> None:
    points = posed()
    points[1, 0] = points[0, 0] + 1
    points[2, 0] = points[0, 0] - 0.12 * SIZE
    pair = draw_self_blend(picture(), points, rng=np.random.default_rng(0), config=CONFIG)
    assert 0.03 < float((pair.mask > 0).mean()) < 0.8


def test_a_real_face_is_blended_where_it_is() -> None:
    left, top, right, bottom = FACE_BOX
    frame = astronaut()[10:210, 125:325]
    points = np.array([(205, 104), (245, 101), (229, 125), (212, 148), (246, 146)]) - (125, 10)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        pair = draw_self_blend(frame, points, rng=rng, config=CONFIG)
        rows, columns = np.nonzero(pair.mask > 0.5 * pair.mask.max())
        assert left - 30 < columns.min() + 125 < columns.max() + 125 < right + 30
        assert top - 30 < rows.min() + 10 < rows.max() + 10 < bottom + 45
