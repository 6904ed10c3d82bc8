"""Convert the networks of lips and of sound: to graphs for OpenVINO, and to ONNX files."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deepfake.compute.comparison import compare_outputs
from deepfake.compute.onnx_files import write_onnx
from deepfake.compute.openvino import Graph, compile_engine, convert_module, read_graph
from deepfake.detectors.sync.towers import SyncNetwork
from deepfake.detectors.sync.windows import INPUT_SHAPES
from deepfake.storage import atomic_path

__all__ = ["TowerName", "convert_tower", "export_tower_onnx"]

TowerName: TypeAlias = Literal["mouth", "sound"]

_BATCHES = (1, 3)
"""Sizes that a written file is tried with: its batch is open."""


def convert_tower(network: SyncNetwork, tower: TowerName) -> Graph:
    """Return one of the two networks for the CPU: a window in, an embedding (1, D) out.

    Args:
        network: Both; it is not changed.
        tower: Which one.

    Raises:
        ModelError: It cannot be converted, or gives other numbers then.
    """
    reference = _reference(network, tower)
    graph = convert_module(reference, example=torch.zeros(1, *INPUT_SHAPES[tower]))
    compare_outputs(compile_engine(graph), reference, batches=[_noise(1, tower)])
    return graph


def export_tower_onnx(
    network: SyncNetwork,
    path: Path,
    *,
    tower: TowerName,
    metadata: Mapping[str, str] | None = None,
) -> float:
    """Write one of the two networks as ONNX, and compare the file's outputs with PyTorch's.

    The input `input` is float32, (N, ...) with the rest of `INPUT_SHAPES`; the output `embedding`
    is (N, D), of length 1.

    Args:
        network: Both; it is not changed.
        path: The file; its parents are made, a file that is there is replaced.
        tower: Which one.
        metadata: Written into the file.

    Returns:
        The largest difference between an output of the file and PyTorch's, on random inputs.

    Raises:
        ModelError: The network cannot be written, or gives other numbers then.
    """
    reference = _reference(network, tower)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".onnx-", dir=path.parent) as scratch:
        # OpenVINO recognises ONNX by the name of the file.
        written = Path(scratch) / "model.onnx"
        example = torch.zeros(2, *INPUT_SHAPES[tower])
        write_onnx(
            reference, written, example=example, output_name="embedding", metadata=metadata or {}
        )
        batches = [_noise(num, tower) for num in _BATCHES]
        difference = compare_outputs(
            compile_engine(read_graph(written)), reference, batches=batches
        )
        with atomic_path(path) as temporary:
            written.replace(temporary)
    return difference


def _reference(network: SyncNetwork, tower: TowerName) -> nn.Module:
    own = network.mouth if tower == "mouth" else network.sound
    return copy.deepcopy(own).cpu().eval()


def _noise(num: int, tower: TowerName) -> NDArray[np.float32]:
    shape = (num, *INPUT_SHAPES[tower])
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
