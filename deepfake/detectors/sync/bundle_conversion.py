"""Convert one network of a bundle to a file for OpenVINO."""

from __future__ import annotations

from pathlib import Path

from deepfake.compute.openvino import call_in_child, save_graph
from deepfake.detectors.sync_bundle import load_sync_bundle

__all__ = ["convert_sync_bundle"]


def convert_sync_bundle(tower: str, folder: str | Path, path: str | Path) -> None:
    """Convert a network for the CPU, in a process of its own where PyTorch is not loaded.

    Args:
        tower: `mouth` or `sound`.
        folder: The bundle.
        path: `NAME.xml`; the weights go to `NAME.bin` beside it.

    Raises:
        BundleError: Its weights do not fit.
        ModelError: The network cannot be converted, or its outputs change.
    """
    if call_in_child(convert_sync_bundle, tower, folder, path):
        return
    from deepfake.detectors.sync.torch_networks import build_tower_graph

    save_graph(build_tower_graph(load_sync_bundle(Path(folder)), tower), Path(path))
