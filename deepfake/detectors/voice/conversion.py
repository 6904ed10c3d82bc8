"""Convert voice networks: to graphs for OpenVINO, and to ONNX files for other programs."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deepfake.compute.comparison import compare_outputs
from deepfake.compute.onnx_files import write_onnx
from deepfake.compute.openvino import Graph, compile_engine, convert_module, read_graph
from deepfake.storage import atomic_path

__all__ = ["convert_voice_network", "export_voice_onnx"]

_BATCHES = (1, 3)
"""Sizes that a written file is tried with: its batch is open."""
_LEVEL = 0.1
"""Effective value of the noise that networks are compared on."""


def convert_voice_network(network: nn.Module, *, num_samples: int) -> Graph:
    """Return a network for the CPU: a window (1, num_samples) float32 in, its outputs out.

    Args:
        network: A `VoiceNetwork` or any other that takes samples (N, T) and returns a tensor or a
            tuple of tensors, (N, ...) each; it is not changed.
        num_samples: Of a window, at 16 kHz.

    Raises:
        ModelError: It cannot be converted, or gives other numbers then.
    """
    reference = copy.deepcopy(network).cpu().eval()
    graph = convert_module(reference, example=torch.zeros(1, num_samples))
    noise = _noise(1, num_samples=num_samples)
    compare_outputs(compile_engine(graph), reference, batches=[noise])
    return graph


def export_voice_onnx(
    network: nn.Module,
    path: Path,
    *,
    num_samples: int,
    metadata: Mapping[str, str] | None = None,
) -> float:
    """Write a network as ONNX, and compare the file's outputs with PyTorch's.

    The input `input` is float32, (N, num_samples), -1 to 1, 16 kHz; the output `logit` is whatever
    the network gives, of a `VoiceNetwork` (N, 1), positive for spoofed.

    Args:
        network: Takes samples (N, T), gives a tensor; it is not changed.
        path: The file; its parents are made, a file that is there is replaced.
        num_samples: Of a window, at 16 kHz.
        metadata: Written into the file.

    Returns:
        The largest difference between an output of the file and PyTorch's, on random inputs.

    Raises:
        ModelError: The network cannot be written, or gives other numbers then.
    """
    reference = copy.deepcopy(network).cpu().eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".onnx-", dir=path.parent) as scratch:
        # OpenVINO recognises ONNX by the name of the file.
        written = Path(scratch) / "model.onnx"
        example = torch.zeros(2, num_samples)
        write_onnx(
            reference, written, example=example, output_name="logit", metadata=metadata or {}
        )
        batches = [_noise(num, num_samples=num_samples) for num in _BATCHES]
        difference = compare_outputs(
            compile_engine(read_graph(written)), reference, batches=batches
        )
        with atomic_path(path) as temporary:
            written.replace(temporary)
    return difference


def _noise(num: int, *, num_samples: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).standard_normal((num, num_samples), dtype=np.float32)
    return noise * np.float32(_LEVEL)
