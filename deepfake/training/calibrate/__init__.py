"""Calibrate a trained bundle on labelled files, so that its scores are probabilities.

One half of `val` chooses how heads and crops become a file's logit, the other fits probability,
thresholds and the bounds of what they hold for. Everything is computed as scoring computes it.
"""

from deepfake.training.calibrate.choose_aggregation import (
    add_bystanders,
    aggregation_name,
    choose_aggregation,
)
from deepfake.training.calibrate.heads import predict_self_blends, scale_heads
from deepfake.training.calibrate.recalibrate import (
    CalibrationSummary,
    calibrate_bundle,
    reject_too_few_files,
)

__all__ = [
    "CalibrationSummary",
    "add_bystanders",
    "aggregation_name",
    "calibrate_bundle",
    "choose_aggregation",
    "predict_self_blends",
    "reject_too_few_files",
    "scale_heads",
]
