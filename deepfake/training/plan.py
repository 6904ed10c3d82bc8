"""What the steps of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from deepfake.config import TrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.models import CreatedModel
from deepfake.training.data import InputSpec
from deepfake.training.module import FUSED_AUC
from deepfake.training.records import RunFolder
from deepfake.training.selection import Selection, has_both_classes

__all__ = ["RunPlan"]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run whose options were checked against each other and the data.

    Attributes:
        name: The detector's name.
        config: The recipe.
        snapshots: One a corpus.
        selection: Crops to train on, choose with and calibrate with.
        created: The network.
        folder: Where the run's files lie.
        device: Where it computes.
        num_workers: Processes that decode.
        is_resumed: Whether the folder holds the beginning of this run.
    """

    name: str
    config: TrainConfig
    snapshots: tuple[Snapshot, ...]
    selection: Selection
    created: CreatedModel
    folder: RunFolder
    device: torch.device
    num_workers: int
    is_resumed: bool

    @property
    def chooses_by(self) -> tuple[Literal["labels", "blends"], ...]:
        """What chooses the checkpoint: labelled files, self-blended reals, both, or nothing."""
        has_labels = has_both_classes(self.selection.choose)
        has_blends = len(self.selection.blendable) > 0
        both: tuple[tuple[Literal["labels", "blends"], bool], ...] = (
            ("labels", has_labels),
            ("blends", has_blends),
        )
        return tuple(name for name, is_there in both if is_there)

    @property
    def choosing_metric(self) -> str | None:
        """Name of the AUC that chooses; of self-blended pairs it has a name of its own."""
        if len(self.chooses_by) > 1:
            return FUSED_AUC
        names = {"labels": "val_auc", "blends": "val_blends_auc"}
        return names[self.chooses_by[0]] if self.chooses_by else None

    @property
    def input_spec(self) -> InputSpec:
        """The network's input."""
        created = self.created
        return InputSpec(input_size=created.input_size, mean=created.mean, std=created.std)
