"""Aggregate crops with logits to files with labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import AggregationConfig
from deepfake.training.data import labels_of
from deepfake.types import Label
from deepfake.verdicts.aggregation import FileScore, aggregate_by_uri
from deepfake.verdicts.calibration import MIN_PER_CLASS

__all__ = ["KEYS", "count_labels", "file_scores", "has_enough"]

KEYS = ["corpus", "uri"]


def file_scores(
    crops: pd.DataFrame, *, aggregation: AggregationConfig
) -> tuple[NDArray[np.float64], list[FileScore]]:
    """Return the label and the score of each file, in the order of their first crops.

    Args:
        crops: Scored crops.
        aggregation: How crops become a file.
    """
    files = crops.drop_duplicates(KEYS)
    scores = aggregate_by_uri(crops, config=aggregation, keys=KEYS)
    return labels_of(files), [scores[key] for key in files[KEYS].itertuples(index=False, name=None)]


def count_labels(crops: pd.DataFrame) -> dict[str, int]:
    """Return the number of files of each label."""
    labels = crops.drop_duplicates(KEYS)["label"]
    return {str(label): int((labels == str(label)).sum()) for label in Label}


def has_enough(crops: pd.DataFrame) -> bool:
    """Return whether each class has enough files to be calibrated on."""
    return min(count_labels(crops).values()) >= MIN_PER_CLASS
