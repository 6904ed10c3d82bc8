"""Pairs stand in one batch, are augmented alike, and are drawn as asked for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake.config import AugmentConfig, CropConfig, SelfBlendConfig
from deepfake.errors import DataError
from deepfake.training.data import (
    InputSpec,
    PairDraw,
    PairSampler,
    blend_truth,
    blending_loader,
    collect_crops,
    file_codes,
    has_usable_landmarks,
    labels_of,
    pair_loader,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

SPEC = InputSpec(input_size=48, mean=(0.5,) * 3, std=(0.25,) * 3)
CROP = CropConfig(size=64)
EVERYTHING = AugmentConfig(flip_p=0.5, jpeg_p=1, blur_p=1, noise_p=1, downscale_p=1, color_p=1)
NO_BLEND = SelfBlendConfig(ratios=(0.0,))


@pytest.fixture(scope="module")
def crops(
    tmp_path_factory: pytest.TempPathFactory, corpus_writer: Any, file_plan: Any
) -> pd.DataFrame:
    files = file_plan({"train": 6}, kind="video", num_crops=3)
    return collect_crops([corpus_writer(tmp_path_factory.mktemp("corpus"), files)])


@pytest.fixture(scope="module")
def reals(crops: pd.DataFrame) -> pd.DataFrame:
    return crops[crops["label"] == "real"].reset_index(drop=True)


def _loader(crops: pd.DataFrame, **changes: Any) -> Any:
    options: dict[str, Any] = {
        "spec": SPEC,
        "augment": EVERYTHING,
        "blend": SelfBlendConfig(),
        "crop": CROP,
        "batch_size": 8,
        "blended_share": 1.0,
        "frames_per_video": 3,
        "seed": 3,
    }
    return pair_loader(crops, **{**options, **changes})


def test_a_pair_stands_in_one_batch(reals: pd.DataFrame) -> None:
    batches = list(_loader(reals))
    assert len(batches) == 18 * 2 // 8
    for inputs, labels, rows in batches:
        assert inputs.shape == (8, 3, 48, 48)
        assert labels.tolist() == [0.0, 1.0] * 4
        assert (rows[1::2] - rows[::2]).tolist() == [18] * 4, "each fake is of the real beside it"
        assert (inputs[::2] - inputs[1::2]).abs().amax((1, 2, 3)).min() > 0


def test_both_of_a_pair_are_augmented_alike(reals: pd.DataFrame) -> None:
    for inputs, _, rows in _loader(reals, blend=NO_BLEND):
        assert torch.equal(inputs[::2], inputs[1::2])
        assert len(set(rows[::2].tolist())) == 4
        assert not torch.equal(inputs[0], inputs[2])


def test_pairs_of_two_draws_are_augmented_otherwise(reals: pd.DataFrame) -> None:
    dataset = _loader(reals, blend=NO_BLEND).dataset
    first, other = (dataset[PairDraw(0, None, seed)][0][0] for seed in (1, 2))
    assert not torch.equal(first, other)


def _epoch(crops: pd.DataFrame, *, epoch: int = 2, **changes: Any) -> list[torch.Tensor]:
    loader = _loader(crops, **changes)
    loader.sampler.set_epoch(epoch)
    return [part for batch in loader for part in batch]


def test_epoch_of_pairs_is_the_same_in_this_process_and_in_another(crops: pd.DataFrame) -> None:
    np.random.seed(1)  # noqa: NPY002 - nothing may draw from it
    torch.manual_seed(1)
    here = _epoch(crops, blended_share=0.5)
    torch.manual_seed(2)
    there = _epoch(crops, blended_share=0.5, num_workers=1)
    assert len(here) == len(there) > 0
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
    other = _epoch(crops, blended_share=0.5, epoch=3)
    assert not all(torch.equal(a, b) for a, b in zip(here, other, strict=True))


def test_dataset_crosses_process_borders(reals: pd.DataFrame) -> None:
    dataset = _loader(reals).dataset
    draw = PairDraw(4, None, 9)
    again = pickle.loads(pickle.dumps(dataset))[draw]
    assert torch.equal(again[1][0], dataset[draw][1][0])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_share_of_blended_fakes_is_as_asked_for(crops: pd.DataFrame, share: float) -> None:
    sampler = PairSampler(
        labels_of(crops), files=file_codes(crops), blended_share=share, frames_per_video=3
    )
    draws = list(sampler)
    labels = labels_of(crops)
    assert len(draws) == len(sampler) == 18
    assert sum(d.fake_row is None for d in draws) == round(18 * share)
    assert all(labels[d.real_row] == 0 for d in draws)
    assert all(labels[d.fake_row] == 1 for d in draws if d.fake_row is not None)
    assert len({d.real_row for d in draws}) == 18, "no real twice before all had their turn"
    assert len({d.seed for d in draws}) == 18


def test_files_count_alike_and_epochs_may_be_shortened() -> None:
    labels = np.zeros(110)
    files = np.concatenate([np.zeros(100), np.arange(1, 11)]).astype(np.int64)
    sampler = PairSampler(labels, files=files, blended_share=1.0, frames_per_video=2, max_crops=11)
    assert len(sampler) == 6
    drawn = [files[draw.real_row] for draw in sampler]
    assert len(set(drawn)) == 6
    whole = PairSampler(labels, files=files, blended_share=1.0, frames_per_video=2)
    assert len(whole) == 12


def test_pairs_need_what_they_are_made_of() -> None:
    files = np.arange(4)
    with pytest.raises(DataError, match="pairs need reals"):
        PairSampler(np.ones(4), files=files, blended_share=1.0, frames_per_video=1)
    with pytest.raises(DataError, match="pairs need reals"):
        PairSampler(np.zeros(4), files=files, blended_share=0.5, frames_per_video=1)


def test_labelled_pairs_are_matched_in_resolution(
    tmp_path: Path, corpus_writer: Any, crop_file: Any
) -> None:
    files = [crop_file(f"r{i}", "real", "train", face_px=20.0) for i in range(4)]
    files += [crop_file(f"f{i}", "fake", "train", face_px=48.0) for i in range(4)]
    crops = collect_crops([corpus_writer(tmp_path, files)])
    rows = np.flatnonzero(labels_of(crops) == 1)

    def detail(match: bool) -> float:
        augment = AugmentConfig(is_enabled=False, match_resolution=match)
        dataset = _loader(crops, augment=augment).dataset
        real = int(np.flatnonzero(labels_of(crops) == 0)[0])
        _, fake = dataset.pixels(PairDraw(real, int(rows[0]), 0))
        return float(np.abs(np.diff(fake.astype(float), axis=1)).mean())

    assert detail(True) < 0.7 * detail(False)


def test_crops_without_a_face_shape_are_reported(
    tmp_path: Path, corpus_writer: Any, crop_file: Any
) -> None:
    files = [crop_file(f"r{i}", "real", "train", has_landmarks=i != 1) for i in range(3)]
    crops = collect_crops([corpus_writer(tmp_path, files)])
    assert has_usable_landmarks(crops, crop=CROP).tolist() == [True, False, True]
    assert has_usable_landmarks(crops[:0], crop=CROP).shape == (0,)


def test_validation_blends_are_the_same_each_time(reals: pd.DataFrame) -> None:
    loader = blending_loader(reals, spec=SPEC, blend=SelfBlendConfig(), crop=CROP, batch_size=6)
    first, again = (list(loader) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    rows = torch.cat([batch[2] for batch in first]).numpy()
    labels, files = blend_truth(reals)
    assert sorted(rows) == list(range(36))
    assert torch.cat([batch[1] for batch in first]).tolist() == labels[rows].tolist()
    assert len(set(files[labels == 0])) == len(set(files[labels == 1])) == 6
    assert not set(files[labels == 0]) & set(files[labels == 1])
