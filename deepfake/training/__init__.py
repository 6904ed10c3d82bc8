"""Train a detector: from snapshots of crops to a detector bundle.

It knows no tracker: loggers and callbacks are arguments.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.training.crop_selection import Selection, select_crops
    from deepfake.training.run_folder import RunFolder, TrainResult, read_result
    from deepfake.training.sync.train import train_sync_detector
    from deepfake.training.train import train_detector
    from deepfake.training.voice.train import train_voice_detector
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "RunFolder",
    "Selection",
    "TrainResult",
    "read_result",
    "select_crops",
    "train_detector",
    "train_sync_detector",
    "train_voice_detector",
]
