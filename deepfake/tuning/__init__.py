"""Looking for the settings of a training that are best: a search space, trials, their outcomes.

The only importer of optuna.
"""

from deepfake.tuning.pruning import GivenUpError, TrialWatch
from deepfake.tuning.space import (
    DEFAULT_SPACE,
    Choices,
    PrunerSettings,
    Range,
    SearchSpace,
    list_spaces,
    load_space,
)
from deepfake.tuning.study import Trial, TuningStudy, open_study

__all__ = [
    "DEFAULT_SPACE",
    "Choices",
    "GivenUpError",
    "PrunerSettings",
    "Range",
    "SearchSpace",
    "Trial",
    "TrialWatch",
    "TuningStudy",
    "list_spaces",
    "load_space",
    "open_study",
]
