"""Fit the novelty measure: how far a face is from the training crops in feature space."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deepfake.config import CropConfig, ViewConfig
from deepfake.detectors.inference.outputs import NOVELTY_PREFIX, features_of
from deepfake.training.data import InputSpec, evaluation_loader, labels_of
from deepfake.training.data.crops import Sample

__all__ = ["fit_novelty", "novelty_tensors"]

_MAX_CROPS = 2000
_MAX_DIRECTIONS = 64
_MIN_CROPS = 50


def fit_novelty(
    network: nn.Module,
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    crop: CropConfig,
    device: torch.device,
    seed: int,
    view: ViewConfig | None = None,
    num_workers: int = 0,
) -> dict[str, Tensor]:
    """Return the tensors of `Novelty`, under their names in a bundle.

    Args:
        network: Trained, in evaluation mode, on `device`.
        crops: The training crops; at most 2,000 are used, prepared as for scoring.
        spec: The network's input.
        crop: How the crops were stored.
        device: Where it computes.
        seed: Of the choice.
        view: Which square of a crop the detector takes; None for the whole crop.
        num_workers: Processes that decode.

    Returns:
        Empty where there are fewer than 50 crops, too few to estimate a spread.

    Raises:
        ModelError: The network does not separate its features from its classifier.
    """
    count = min(_MAX_CROPS, len(crops))
    if count < _MIN_CROPS:
        return {}
    chosen = crops.sample(n=count, random_state=seed).reset_index(drop=True)
    loader = evaluation_loader(chosen, spec=spec, crop=crop, view=view, num_workers=num_workers)
    features = _features(network, loader, device=device)
    return novelty_tensors(features, labels=labels_of(chosen))


def novelty_tensors(
    features: NDArray[np.float64], *, labels: NDArray[np.float64]
) -> dict[str, Tensor]:
    """Return the tensors of `Novelty`, under their names in a bundle, from features.

    Args:
        features: Of what was trained on, shape (N, C).
        labels: 1 fake, 0 real, shape (N,).

    Returns:
        Empty where there are fewer than 50, too few to estimate a spread.
    """
    if len(features) < _MIN_CROPS:
        return {}
    classes = [features[labels == value] for value in np.unique(labels)]
    means = np.stack([rows.mean(axis=0) for rows in classes])  # (M, C)
    within = np.concatenate([rows - mean for rows, mean in zip(classes, means, strict=True)])
    # Shrunk, since there are hardly more samples than features.
    covariance = LedoitWolf(assume_centered=True).fit(within).covariance_
    values, vectors = np.linalg.eigh(covariance)  # ascending
    kept = slice(max(0, len(values) - _MAX_DIRECTIONS), None)
    projection = vectors[:, kept] / np.sqrt(values[kept])  # (C, K)
    return {
        f"{NOVELTY_PREFIX}projection": torch.from_numpy(projection.astype(np.float32)),
        f"{NOVELTY_PREFIX}means": torch.from_numpy((means @ projection).astype(np.float32)),
    }


def _features(
    network: nn.Module, loader: DataLoader[Sample], *, device: torch.device
) -> NDArray[np.float64]:
    """Return features, shape (N, C)."""
    parts = []
    with torch.inference_mode():
        for inputs, _, _ in loader:
            moved = inputs.to(device, memory_format=torch.channels_last)
            parts.append(features_of(network, moved).double().cpu())
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)
