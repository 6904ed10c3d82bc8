"""Crops come out of shards as they went in, in whatever process."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake.config import AugmentConfig, CropConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.inference import to_input
from deepfake.errors import DataError
from deepfake.training.data import (
    CropDataset,
    InputSpec,
    collect_crops,
    file_codes,
    labels_of,
    training_loader,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

SPEC = InputSpec(input_size=48, mean=(0.5,) * 3, std=(0.25,) * 3)
CROP = CropConfig(size=64)


@pytest.fixture(scope="module")
def snapshot(
    tmp_path_factory: pytest.TempPathFactory, corpus_writer: Any, file_plan: Any
) -> Snapshot:
    files = file_plan({"train": 6}, kind="video", num_crops=3)
    written: Snapshot = corpus_writer(tmp_path_factory.mktemp("corpus"), files)
    return written


@pytest.fixture(scope="module")
def crops(snapshot: Snapshot) -> pd.DataFrame:
    return collect_crops([snapshot])


def test_plain_sample_is_what_scoring_sees(crops: pd.DataFrame, snapshot: Snapshot) -> None:
    dataset = CropDataset(crops, spec=SPEC)
    tensor, label, row = dataset[7]
    expected = to_input([dataset.stored_pixels(7)], input_size=48, mean=SPEC.mean, std=SPEC.std)
    assert torch.equal(tensor, expected[0])
    assert (label, row) == (1.0 if crops["label"][7] == "fake" else 0.0, 7)
    assert dataset.stored_pixels(7).shape == (64, 64, 3)


def test_fakes_have_their_grid(crops: pd.DataFrame) -> None:
    dataset = CropDataset(crops, spec=SPEC)

    def grid(row: int) -> float:
        pixels = dataset.stored_pixels(row).astype(float)
        return float(pixels[::2, ::2].mean() - pixels[1::2, 1::2].mean())

    scores = np.array([grid(row) for row in range(len(dataset))])
    labels = labels_of(crops)
    assert scores[labels == 1].min() > 10 > scores[labels == 0].max()


def test_dataset_crosses_process_borders(crops: pd.DataFrame) -> None:
    dataset = CropDataset(crops, spec=SPEC, augment=AugmentConfig())
    expected = dataset[(2, 9)][0]
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[(2, 9)][0], expected)


def _epoch(crops: pd.DataFrame, *, num_workers: int) -> list[torch.Tensor]:
    loader = training_loader(
        crops,
        spec=SPEC,
        augment=AugmentConfig(),
        crop=CROP,
        batch_size=8,
        frames_per_video=2,
        seed=3,
        num_workers=num_workers,
    )
    loader.sampler.set_epoch(2)  # type: ignore[attr-defined]
    return [part for batch in loader for part in batch]


def test_epoch_is_the_same_in_this_process_and_in_two_others(crops: pd.DataFrame) -> None:
    torch.manual_seed(1)
    here = _epoch(crops, num_workers=0)
    torch.manual_seed(2)
    there = _epoch(crops, num_workers=2)
    assert len(here) == len(there) == 3 * 3
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


def test_drawing_augmentations_leaves_the_global_generator_alone(crops: pd.DataFrame) -> None:
    dataset = CropDataset(crops, spec=SPEC, augment=AugmentConfig())
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    _ = dataset[(0, 5)]
    assert torch.equal(torch.rand(1), expected)


def test_training_reduces_the_class_of_larger_faces(
    tmp_path: Path, corpus_writer: Any, crop_file: Any
) -> None:
    files = [crop_file(f"r{i}", "real", "train", face_px=20.0) for i in range(4)]
    files += [crop_file(f"f{i}", "fake", "train", face_px=48.0) for i in range(4)]
    crops = collect_crops([corpus_writer(tmp_path, files)])

    def detail(match: bool) -> dict[float, float]:
        augment = AugmentConfig(is_enabled=False, match_resolution=match)
        loader = training_loader(
            crops, spec=SPEC, augment=augment, crop=CROP, batch_size=8, frames_per_video=1
        )
        inputs, labels, _ = next(iter(loader))
        edges = (inputs[..., 1:] - inputs[..., :-1]).abs().mean((1, 2, 3))
        return {c: float(edges[labels == c].mean()) for c in (0.0, 1.0)}

    plain, matched = detail(False), detail(True)
    assert matched[0.0] == pytest.approx(plain[0.0], abs=1e-6)
    assert matched[1.0] < 0.7 * plain[1.0]


def test_files_are_distinguished_by_corpus_and_whole_path() -> None:
    rows = [("a", "/x/Deepfakes/000_003.mp4"), ("a", "/x/Face2Face/000_003.mp4")]
    rows += [("b", "/x/Deepfakes/000_003.mp4"), ("a", "/x/Deepfakes/000_003.mp4")]
    crops = pd.DataFrame(rows, columns=["corpus", "uri"])
    assert file_codes(crops).tolist() == [0, 1, 2, 0]


def test_unknown_label_is_neither_class() -> None:
    labels = labels_of(pd.DataFrame({"label": ["real", "fake", None, "unreal"]}))
    assert labels[:2].tolist() == [0.0, 1.0]
    assert np.isnan(labels[2:]).all()


def test_no_crop_is_an_error(tmp_path: Path, corpus_writer: Any) -> None:
    with pytest.raises(DataError, match="no crop"):
        collect_crops([corpus_writer(tmp_path, [])])
