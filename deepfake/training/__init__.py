"""Training: snapshots to a detector bundle. Knows no tracker: loggers are handed in."""

from deepfake.training.crop_selection import Selection, select_crops
from deepfake.training.run_folder import RunFolder, TrainResult, read_result
from deepfake.training.train import train_detector

__all__ = [
    "RunFolder",
    "Selection",
    "TrainResult",
    "read_result",
    "select_crops",
    "train_detector",
]
