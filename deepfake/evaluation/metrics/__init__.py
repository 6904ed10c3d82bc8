"""Metrics of detectors and their intervals.

Labels are 1 for fake and 0 for real, scores rise with fake. An undefined metric is None, never a
number, and `why` has the reason: the AUC of one class is not 0, 0.5 or 1.
"""

from deepfake.evaluation.metrics.bootstrap import (
    MIN_GROUPS,
    Intervals,
    PairedComparison,
    bootstrap_intervals,
    paired_bootstrap,
)
from deepfake.evaluation.metrics.likelihood_ratio import cllr, min_cllr
from deepfake.evaluation.metrics.point import (
    Metrics,
    binary_metrics,
    expected_calibration_error,
    headline_accuracy,
    operating_point,
    precision_at_prevalence,
    wilson_interval,
)

__all__ = [
    "MIN_GROUPS",
    "Intervals",
    "Metrics",
    "PairedComparison",
    "binary_metrics",
    "bootstrap_intervals",
    "cllr",
    "expected_calibration_error",
    "headline_accuracy",
    "min_cllr",
    "operating_point",
    "paired_bootstrap",
    "precision_at_prevalence",
    "wilson_interval",
]
