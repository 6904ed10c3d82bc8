"""Tune the settings of a recipe: search space and trials. The only importer of optuna."""

from deepfake.training.tuning.pruner import GivenUpError, TrialWatch
from deepfake.training.tuning.space import (
    DEFAULT_SPACE,
    Choices,
    PrunerSettings,
    Range,
    SearchSpace,
    list_spaces,
    load_space,
)
from deepfake.training.tuning.study import Trial, TuningStudy, open_study

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
