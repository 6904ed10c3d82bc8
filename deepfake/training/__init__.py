"""Training: snapshots to a detector bundle. Knows no tracker; loggers and callbacks are passed in."""

from deepfake.training.runs import TrainResult, train_detector
from deepfake.training.selection import Selection, select_crops

__all__ = ["Selection", "TrainResult", "select_crops", "train_detector"]
