"""Heat maps: of the fused, calibrated logit, and hot where the score is moved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepfake.detectors.bundles import Bundle, HeadSpec, load_bundle, save_bundle
from deepfake.detectors.inference import load_detector
from deepfake.detectors.models import create_model
from deepfake.evidence.heat_maps import GRID, HeatMapper, mask_hottest, mask_random, measure_moves
from deepfake.verdicts.calibration import Calibration
from tests.sample_data import clip_frames, make_detector

_CALIBRATION = Calibration(temperature=0.5, bias=-0.7, is_fitted=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return an untrained detector of two heads on ImageNet's body."""
    one = load_bundle(make_detector(tmp_path_factory.mktemp("one") / "bundle"))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        created = create_model("tf_efficientnet_lite0", pretrained="auto", num_heads=2)
    state = dict(created.module.state_dict())
    state["classifier.weight"] = state["classifier.weight"] * 30
    heads = (
        HeadSpec(name="blended", center=-0.5, scale=2.0),
        HeadSpec(name="generated", center=0.5, scale=1.5),
    )
    spec = one.spec.model_copy(update={"heads": heads})
    folder = tmp_path_factory.mktemp("two") / "bundle"
    return load_bundle(save_bundle(folder, state_dict=state, spec=spec))


@pytest.fixture(scope="module")
def mapper(bundle: Bundle) -> HeatMapper:
    """Return what computes its heat maps."""
    return HeatMapper(bundle)


def test_the_log_odds_are_those_of_the_fused_and_calibrated_logit(
    bundle: Bundle, mapper: HeatMapper
) -> None:
    crops = clip_frames(2, seed=3)
    detector = load_detector(bundle.path, device="cpu", backend="torch", num_threads=1)
    expected = _CALIBRATION.log_odds(detector.logits(crops).astype(np.float64))
    pictures = mapper.squares(crops)
    maps = mapper.maps(pictures, calibration=_CALIBRATION)
    assert [heat.log_odds for heat in maps] == pytest.approx(expected.tolist(), abs=1e-3)
    assert mapper.log_odds(pictures, calibration=_CALIBRATION) == pytest.approx(expected, abs=1e-3)


def test_a_map_is_of_its_own_picture_alone(mapper: HeatMapper) -> None:
    pictures = mapper.squares(clip_frames(2, seed=4))
    together = mapper.maps(pictures, calibration=_CALIBRATION)
    (alone,) = mapper.maps(pictures[1:], calibration=_CALIBRATION)
    assert together[1].values.shape == (GRID, GRID)
    assert np.allclose(together[1].values, alone.values, atol=1e-3)
    assert together[1].values.min() >= 0.0
    assert together[1].values.max() == pytest.approx(1.0)


def test_masking_the_hottest_tenth_moves_the_score_more_than_a_random_one(
    mapper: HeatMapper,
) -> None:
    pictures = mapper.squares([clip_frames(1, seed=seed)[0] for seed in range(6)])
    moves = [
        measure_moves(mapper, picture, heat, calibration=_CALIBRATION, draws=4)
        for picture, heat in zip(
            pictures, mapper.maps(pictures, calibration=_CALIBRATION), strict=True
        )
    ]
    hottest, at_random = np.mean(moves, axis=0)
    assert hottest > at_random


def test_both_masks_cover_a_tenth(mapper: HeatMapper) -> None:
    (picture,) = mapper.squares([np.random.default_rng(0).integers(0, 256, (256, 256, 3), "uint8")])
    (heat,) = mapper.maps(picture[None], calibration=_CALIBRATION)
    for masked in (
        mask_hottest(picture, heat),
        mask_random(picture, rng=np.random.default_rng(0)),
    ):
        assert (masked != picture).any(axis=2).mean() == pytest.approx(0.1, abs=0.02)


def test_nothing_is_learnt_or_left_over(mapper: HeatMapper) -> None:
    pictures = mapper.squares(clip_frames(1, seed=5))
    first = mapper.maps(pictures, calibration=_CALIBRATION)[0]
    second = mapper.maps(pictures, calibration=_CALIBRATION)[0]
    assert first.log_odds == second.log_odds
    assert np.array_equal(first.values, second.values)
