"""Networks that tell whether lips say the words that are heard, and their conversion.

What the windows look like is there without PyTorch.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.detectors.sync.conversion import convert_tower, export_tower_onnx
    from deepfake.detectors.sync.detector import SyncDetector, load_sync_detector
    from deepfake.detectors.sync.towers import SyncNetwork, create_sync_network
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "SyncDetector",
    "SyncNetwork",
    "convert_tower",
    "create_sync_network",
    "export_tower_onnx",
    "load_sync_detector",
]
