"""Training data: from snapshots to batches."""

from deepfake.training.data.balance import (
    BalancedSampler,
    balanced_weights,
    effective_sizes,
    matched_sizes,
    reduce_resolution,
)
from deepfake.training.data.blends import CropBlender
from deepfake.training.data.crops import (
    CropDataset,
    InputSpec,
    collect_crops,
    evaluation_dataset,
    evaluation_loader,
    file_codes,
    labels_of,
    training_loader,
)
from deepfake.training.data.pairs import (
    PairDataset,
    PairDraw,
    PairSampler,
    blend_truth,
    blending_loader,
    has_usable_landmarks,
    pair_loader,
)
from deepfake.training.data.stored_squares import landmarks_of
from deepfake.training.data.views import CropViews, ShownSquare

__all__ = [
    "BalancedSampler",
    "CropBlender",
    "CropDataset",
    "CropViews",
    "InputSpec",
    "PairDataset",
    "PairDraw",
    "PairSampler",
    "ShownSquare",
    "balanced_weights",
    "blend_truth",
    "blending_loader",
    "collect_crops",
    "effective_sizes",
    "evaluation_dataset",
    "evaluation_loader",
    "file_codes",
    "has_usable_landmarks",
    "labels_of",
    "landmarks_of",
    "matched_sizes",
    "pair_loader",
    "reduce_resolution",
    "training_loader",
]
