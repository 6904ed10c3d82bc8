"""A detector of lips and sound that was never trained."""

from __future__ import annotations

from pathlib import Path

import torch

from deepfake.detectors.sync_bundle import SyncSpec, save_sync_bundle
from deepfake.verdicts.sync import SyncJudgement

__all__ = ["write_sync_bundle"]


def write_sync_bundle(
    folder: Path,
    *,
    name: str = "tried-sync",
    seed: int = 0,
    judgement: SyncJudgement | None = None,
) -> Path:
    """Save a detector with random weights."""
    weights = torch.randn(4, generator=torch.Generator().manual_seed(seed))
    spec = SyncSpec(name=name, judgement=judgement or SyncJudgement())
    return save_sync_bundle(folder, state_dict={"weights": weights}, spec=spec)
