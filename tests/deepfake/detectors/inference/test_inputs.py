"""Crops become inputs: size, normalisation, layout."""

from __future__ import annotations

import numpy as np
import torch

from deepfake.detectors.inference import stack_squares, to_input

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def test_input_is_normalised_per_channel() -> None:
    colour = (255, 128, 0)
    crop = np.full((32, 32, 3), colour, dtype=np.uint8)
    tensor = to_input([crop], input_size=32, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    expected = [
        (c / 255 - m) / s for c, m, s in zip(colour, IMAGENET_MEAN, IMAGENET_STD, strict=True)
    ]
    assert tensor.shape == (1, 3, 32, 32)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(tensor[0, :, 7, 9].numpy(), expected, atol=1e-6)


def test_shrinking_averages_areas() -> None:
    checkers = np.zeros((64, 64, 3), dtype=np.uint8)
    checkers[::2, ::2] = 200
    checkers[1::2, 1::2] = 200
    tensor = to_input([checkers], input_size=32, mean=(0.0,) * 3, std=(1.0,) * 3)
    np.testing.assert_allclose(tensor.numpy(), 100 / 255, atol=1e-6)


def test_crops_of_different_sizes_go_together() -> None:
    mixed = [np.full((s, s, 3), s, dtype=np.uint8) for s in (16, 32, 48)]
    squares = stack_squares(mixed, size=32)
    assert squares.dtype == np.uint8
    assert [np.unique(square).tolist() for square in squares] == [[16], [32], [48]]
    assert squares.shape == (3, 32, 32, 3)


def test_crops_are_not_changed() -> None:
    crop = np.random.default_rng(0).integers(0, 256, size=(80, 80, 3), dtype=np.uint8)
    before = crop.copy()
    to_input([crop], input_size=80, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    assert np.array_equal(crop, before)
