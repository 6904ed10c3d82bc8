"""A trained bundle and labelled files to a bundle whose answers can be read.

One half of `val` chooses how heads and crops become a file's logit, the other fits probability,
thresholds and the bounds of what they hold for. Everything is computed as scoring computes it.
"""

from deepfake.training.calibrate.choose_aggregation import (
    candidate_name,
    choose_aggregation,
    crowds_of,
)
from deepfake.training.calibrate.heads import blends_of, scale_heads
from deepfake.training.calibrate.recalibrate import (
    CalibrationSummary,
    calibrate_bundle,
    look_at_val,
)

__all__ = [
    "CalibrationSummary",
    "blends_of",
    "calibrate_bundle",
    "candidate_name",
    "choose_aggregation",
    "crowds_of",
    "look_at_val",
    "scale_heads",
]
