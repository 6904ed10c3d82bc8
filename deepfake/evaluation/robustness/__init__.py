"""How a detector holds up when media are compressed, shrunk, blurred: frames are changed before
faces are looked for, as they are on their way to whoever scores them.
"""

from deepfake.evaluation.robustness.output import flat_metrics, write_sweep
from deepfake.evaluation.robustness.perturbations import (
    PERTURBATIONS,
    Perturbation,
    perturb_file,
    perturbations_of,
)
from deepfake.evaluation.robustness.sweep import (
    ConditionResult,
    choose_files,
    measure_condition,
    score_condition,
    sweep_markdown,
)

__all__ = [
    "PERTURBATIONS",
    "ConditionResult",
    "Perturbation",
    "choose_files",
    "flat_metrics",
    "measure_condition",
    "perturb_file",
    "perturbations_of",
    "score_condition",
    "sweep_markdown",
    "write_sweep",
]
