"""Options whose help lists names list those that there are: config knows no package above it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from deepfake.config.options import Options, RobustnessOptions, SweepOptions, TrainOptions
from deepfake.detectors.network_names import MODEL_ALIASES
from deepfake.evaluation.robustness.perturbations import PERTURBATIONS
from deepfake.training.recipes import list_recipes
from deepfake.training.tuning import list_spaces


@pytest.mark.parametrize(
    ("options", "field", "names"),
    [
        (TrainOptions, "recipe", [*list_recipes(), *list_recipes("voice"), *list_recipes("sync")]),
        (TrainOptions, "model", MODEL_ALIASES),
        (SweepOptions, "space", list_spaces()),
        (RobustnessOptions, "perturbations", PERTURBATIONS),
    ],
)
def test_help_lists_the_names_that_there_are(
    options: type[Options], field: str, names: Iterable[str]
) -> None:
    text = options.model_fields[field].description or ""
    listed = text.partition(", or ")[0].rpartition(": ")[2].split(", ")
    assert sorted(listed) == sorted(names)
