"""What differs between the classes beside the forgery is taken away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from deepfake.config import CropConfig
from deepfake.errors import DataError
from deepfake.training.data import (
    BalancedSampler,
    balanced_weights,
    effective_sizes,
    matched_sizes,
    reduce_resolution,
)


def test_face_size_tells_the_classes_apart_before_and_not_after() -> None:
    rng = np.random.default_rng(0)
    sizes = np.concatenate([rng.normal(90, 20, 3000), rng.normal(125, 25, 2000)]).clip(20)
    labels = np.repeat([0, 1], [3000, 2000])
    matched = matched_sizes(sizes, labels)
    assert roc_auc_score(labels, sizes) > 0.8
    assert roc_auc_score(labels, matched) == pytest.approx(0.5, abs=0.005)
    assert ks_2samp(matched[labels == 0], matched[labels == 1]).statistic < 0.01
    assert np.all(matched <= sizes)


def test_classes_that_cross_end_in_the_lower_of_both() -> None:
    rng = np.random.default_rng(1)
    sizes = np.concatenate([rng.normal(100, 40, 4000), rng.normal(100, 10, 4000)]).clip(10)
    labels = np.repeat([0, 1], 4000)
    matched = matched_sizes(sizes, labels)
    assert ks_2samp(sizes[labels == 0], sizes[labels == 1]).statistic > 0.2
    assert ks_2samp(matched[labels == 0], matched[labels == 1]).statistic < 0.01
    # The large half of the wide class comes down, the small half brings the narrow one down.
    assert matched[labels == 0].max() < 0.7 * sizes[labels == 0].max()
    assert np.quantile(matched[labels == 1], 0.05) < np.quantile(sizes[labels == 1], 0.05)


def test_sizes_are_matched_as_the_sampler_draws_them() -> None:
    # One real clip of large faces has most of the crops, but is one file among twenty.
    sizes = np.concatenate([np.full(500, 200.0), np.full(19, 50.0), np.full(20, 60.0)])
    labels = np.repeat([0.0, 1.0], [519, 20])
    files = np.concatenate([np.zeros(500), np.arange(1, 40)])
    weights = balanced_weights(labels, files=files)
    matched = matched_sizes(sizes, labels, weights=weights)
    drawn = np.random.default_rng(0).choice(len(sizes), 20_000, p=weights)
    real, fake = (matched[drawn][labels[drawn] == c] for c in (0, 1))
    assert np.quantile(fake, 0.5) == pytest.approx(50, abs=1)
    assert real.mean() == pytest.approx(fake.mean(), rel=0.02)


@given(
    st.lists(st.tuples(st.floats(10, 500), st.integers(0, 1)), min_size=1, max_size=60),
)
def test_no_face_has_to_grow(faces: list[tuple[float, int]]) -> None:
    sizes, labels = (np.array(column) for column in zip(*faces, strict=True))
    matched = matched_sizes(sizes, labels)
    assert np.all(matched <= sizes)
    assert np.all(matched >= sizes.min() - 1e-9)
    if len(np.unique(labels)) == 1:
        assert np.array_equal(matched, sizes)


def test_equal_classes_are_left_alone() -> None:
    sizes = np.tile([30.0, 60.0, 90.0], 2)
    assert np.allclose(matched_sizes(sizes, [0, 0, 0, 1, 1, 1]), sizes)


def test_stored_size_caps_the_resolution() -> None:
    config = CropConfig(size=260, margin=1.3)
    assert effective_sizes([50.0, 500.0], crop=config).tolist() == [50.0, 200.0]


def test_reduced_crop_keeps_size_and_mean_and_loses_detail() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, size=(128, 128, 3), dtype=np.uint8)
    reduced = reduce_resolution(crop, target_px=40, face_px=90, margin=1.3)
    assert reduced.shape == crop.shape
    assert reduced.std() < 0.6 * crop.std()
    assert reduced.mean() == pytest.approx(crop.mean(), abs=1)


def test_crop_with_nothing_to_take_away_is_left_as_it_is() -> None:
    crop = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
    assert reduce_resolution(crop, target_px=30, face_px=30, margin=1.3) is crop


def test_weights_are_equal_over_classes_and_over_files_of_a_class() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1.0])
    files = np.array([0, 0, 0, 1, 2, 3, 3])
    weights = balanced_weights(labels, files=files)
    assert weights.sum() == pytest.approx(1)
    assert weights[labels == 1].sum() == pytest.approx(0.5)
    assert [weights[files == f].sum() for f in range(4)] == pytest.approx([0.25] * 4)


@pytest.mark.parametrize("labels", [[], [0.0, np.nan], [2.0]])
def test_unknown_labels_cannot_be_balanced(labels: list[float]) -> None:
    with pytest.raises(DataError):
        balanced_weights(labels, files=np.arange(len(labels)))


def _sampler(**changes: object) -> BalancedSampler:
    # 2 real files of 40 crops, 8 fake ones of 10.
    labels = np.repeat([0.0, 1.0], 80)
    files = np.concatenate([np.repeat([0, 1], 40), np.repeat(np.arange(2, 10), 10)])
    options = {"frames_per_video": 4, "seed": 5, **changes}
    return BalancedSampler(labels, files=files, **options)  # type: ignore[arg-type]


def test_epoch_is_balanced_by_class_and_by_file() -> None:
    sampler = _sampler()
    rows = [row for row, _ in sampler]
    assert len(rows) == len(sampler) == 40
    files = Counter(0 if r < 40 else 1 if r < 80 else r // 10 for r in rows)
    assert [files[f] for f in (0, 1)] == [10, 10]
    assert {files[f] for f in range(8, 16)} == {2, 3}
    assert max(Counter(rows).values()) == 1, "no crop comes twice while others wait"


def test_epochs_differ_and_repeat_by_their_number() -> None:
    sampler, again = _sampler(), _sampler()
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    again.set_epoch(1)
    assert first != second
    assert list(again) == second
    assert list(_sampler(seed=6)) != first


def test_epoch_can_be_limited() -> None:
    rows = [row for row, _ in _sampler(max_crops=10)]
    assert len(rows) == 10
    assert sum(row < 80 for row in rows) == 5
