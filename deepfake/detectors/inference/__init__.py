"""From face crops to logits: OpenVINO on the CPU, PyTorch on CUDA and as the reference.

Scoring on the CPU with a network that was converted before imports no PyTorch: each media worker
would pay seconds and hundreds of megabytes for it.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.compute.devices import check_precision, describe_computation, resolve_device
    from deepfake.detectors.inference.detector import (
        BackendName,
        Detector,
        HeadOutputModel,
        Network,
        load_detector,
    )
    from deepfake.detectors.inference.inputs import resize_square, stack_squares, to_input
    from deepfake.detectors.inference.onnx_export import OnnxExport, export_onnx
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "BackendName",
    "Detector",
    "HeadOutputModel",
    "Network",
    "OnnxExport",
    "check_precision",
    "describe_computation",
    "export_onnx",
    "load_detector",
    "resize_square",
    "resolve_device",
    "stack_squares",
    "to_input",
]
