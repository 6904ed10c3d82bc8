"""The loss of the training on lips and sound.

Source: InfoNCE of van den Oord, Li and Vinyals, "Representation Learning with Contrastive
Predictive Coding", 2018, equation 4, in both directions; sound of other moments of the same run as
the hard negatives: Chung, Chung and Kang, "Perfect match: improved cross-modal embeddings for
audio-visual synchronisation", ICASSP 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

__all__ = ["contrastive_loss"]


def contrastive_loss(
    mouths: Tensor, sounds: Tensor, *, temperature: float, inner_weight: float
) -> Tensor:
    """Return how badly each window of mouths finds its own sound, and each sound its mouths.

    Args:
        mouths: Embeddings of length 1, shape (B, K, D): K windows of each of B runs.
        sounds: Of the sound of the same moments.
        temperature: Cosines are divided by it.
        inner_weight: Share of the loss that chooses among the windows of one run; the rest chooses
            among those of the batch.
    """
    num_runs, num_windows, _ = mouths.shape
    inner = mouths @ sounds.transpose(1, 2) / temperature  # (B, K, K)
    own = torch.arange(num_windows, device=mouths.device).repeat(num_runs)
    of_run = _both_ways(inner.flatten(0, 1), inner.transpose(1, 2).flatten(0, 1), own)
    every = mouths.flatten(0, 1) @ sounds.flatten(0, 1).T / temperature  # (B K, B K)
    of_batch = _both_ways(every, every.T, torch.arange(len(every), device=mouths.device))
    return inner_weight * of_run + (1 - inner_weight) * of_batch


def _both_ways(rows: Tensor, columns: Tensor, own: Tensor) -> Tensor:
    return (cross_entropy(rows, own) + cross_entropy(columns, own)) / 2
