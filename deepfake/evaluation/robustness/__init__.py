"""Measure a detector on perturbed media.

Whole frames are changed before faces are detected, as happens to media on their way to a detector.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.evaluation.robustness.measure import (
        ConditionResult,
        choose_files,
        measure_condition,
        robustness_markdown,
        score_condition,
    )
    from deepfake.evaluation.robustness.output import condition_metrics, write_robustness
    from deepfake.evaluation.robustness.perturbations import (
        PERTURBATIONS,
        Perturbation,
        perturb_file,
        perturbations_of,
    )
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "PERTURBATIONS",
    "ConditionResult",
    "Perturbation",
    "choose_files",
    "condition_metrics",
    "measure_condition",
    "perturb_file",
    "perturbations_of",
    "robustness_markdown",
    "score_condition",
    "write_robustness",
]
