"""Training: snapshots to a detector bundle. Knows no tracker: loggers are handed in."""

from deepfake.training.records import RunFolder, TrainResult, read_result
from deepfake.training.runs import train_detector
from deepfake.training.selection import Selection, select_crops

__all__ = [
    "RunFolder",
    "Selection",
    "TrainResult",
    "read_result",
    "select_crops",
    "train_detector",
]
