"""From a logit to a probability that holds for a named prior, and from that to a verdict.

A calibration and thresholds that were not fitted say so (`is_fitted` is False); they are then the
identity and fixed defaults, never a guess.
"""

from deepfake.verdicts.calibration.likelihood_ratio import (
    LikelihoodRatioBounds,
    fit_likelihood_ratio_bounds,
)
from deepfake.verdicts.calibration.probability import (
    Calibration,
    combine_heads,
    fit_temperature,
    shift_prior,
)
from deepfake.verdicts.calibration.samples import MIN_PER_CLASS
from deepfake.verdicts.calibration.support import Support, fit_support
from deepfake.verdicts.calibration.thresholds import (
    Thresholds,
    choose_thresholds,
    judge,
    lower_for_unseen,
    raise_for_corpora,
    verdict_of,
)
from deepfake.verdicts.calibration.uncertain_reason import UncertainReason

__all__ = [
    "MIN_PER_CLASS",
    "Calibration",
    "LikelihoodRatioBounds",
    "Support",
    "Thresholds",
    "UncertainReason",
    "choose_thresholds",
    "combine_heads",
    "fit_likelihood_ratio_bounds",
    "fit_support",
    "fit_temperature",
    "judge",
    "lower_for_unseen",
    "raise_for_corpora",
    "shift_prior",
    "verdict_of",
]
