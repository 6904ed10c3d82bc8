"""Tune the settings of a recipe: search space and trials. The only importer of optuna."""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
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
    from deepfake.training.tuning.trials import TrialOutcome, record_trial, train_trial
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "DEFAULT_SPACE",
    "Choices",
    "GivenUpError",
    "PrunerSettings",
    "Range",
    "SearchSpace",
    "Trial",
    "TrialOutcome",
    "TrialWatch",
    "TuningStudy",
    "list_spaces",
    "load_space",
    "open_study",
    "record_trial",
    "train_trial",
]
