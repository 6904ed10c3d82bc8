"""Convert a voice bundle's network to a file for OpenVINO."""

from __future__ import annotations

from pathlib import Path

from deepfake.compute.openvino import call_in_child, save_graph
from deepfake.detectors.voice_bundle import load_voice_bundle

__all__ = ["convert_voice_bundle"]


def convert_voice_bundle(folder: str | Path, path: str | Path) -> None:
    """Convert a bundle's network for the CPU, in a process of its own where PyTorch is not loaded.

    Args:
        folder: The bundle.
        path: `NAME.xml`; the weights go to `NAME.bin` beside it.

    Raises:
        BundleError: Its weights do not fit its architecture.
        ModelError: The network cannot be converted, or its logits change.
    """
    if call_in_child(convert_voice_bundle, folder, path):
        return
    from deepfake.detectors.voice.torch_networks import build_voice_graph

    save_graph(build_voice_graph(load_voice_bundle(Path(folder))), Path(path))
