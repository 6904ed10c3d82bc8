"""Networks that tell spoofed speech from real, and their conversion.

The names of architectures are there without PyTorch.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.detectors.voice.architectures import (
        VOICE_ARCHITECTURES,
        reject_unknown_voice_network,
    )
    from deepfake.detectors.voice.conversion import convert_voice_network, export_voice_onnx
    from deepfake.detectors.voice.create import VoiceNetwork, create_voice_network
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "VOICE_ARCHITECTURES",
    "VoiceNetwork",
    "convert_voice_network",
    "create_voice_network",
    "export_voice_onnx",
    "reject_unknown_voice_network",
]
