"""From snapshots to batches: balanced draws, matched resolution, augmented and plain inputs."""

from deepfake.datasets.balance import (
    BalancedSampler,
    balanced_weights,
    effective_sizes,
    matched_sizes,
    reduce_resolution,
)
from deepfake.datasets.crops import (
    CropDataset,
    InputSpec,
    collect_crops,
    evaluation_loader,
    file_codes,
    labels_of,
    predict_crops,
    training_loader,
)

__all__ = [
    "BalancedSampler",
    "CropDataset",
    "InputSpec",
    "balanced_weights",
    "collect_crops",
    "effective_sizes",
    "evaluation_loader",
    "file_codes",
    "labels_of",
    "matched_sizes",
    "predict_crops",
    "reduce_resolution",
    "training_loader",
]
