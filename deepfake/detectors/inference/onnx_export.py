"""Export a detector's network as an ONNX file for other programs."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepfake.compute.comparison import compare_outputs
from deepfake.compute.onnx_files import ONNX_OPSET, write_onnx
from deepfake.compute.openvino import compile_engine, read_graph
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.errors import ConfigError
from deepfake.storage import atomic_path

if TYPE_CHECKING:
    import torch

__all__ = ["OnnxExport", "export_onnx", "reject_existing_file"]

_BATCHES = (1, 3)
"""Sizes that a written file is tried with: its batch is open."""


@dataclass(frozen=True, slots=True)
class OnnxExport:
    """An ONNX file that was written.

    Attributes:
        path: The file.
        opset: Version of ONNX's operators.
        metadata: The metadata in the file.
        max_difference: The largest between a logit of the file and PyTorch's, on random inputs.
    """

    path: Path
    opset: int
    metadata: dict[str, str]
    max_difference: float


def export_onnx(folder: Path, output: Path, *, overwrite: bool = False) -> OnnxExport:
    """Write a bundle's network as ONNX, and compare the file's outputs with PyTorch's.

    The input `input` is float32, (N, 3, S, S), RGB, normalised; the output `evidence` is (N, K),
    its first column the logit, positive for fake. The file's metadata say how a face becomes the
    input and a logit a probability.

    Args:
        folder: The bundle.
        output: The file; its parents are made.
        overwrite: Replace a file that is there.

    Returns:
        The file, and the largest difference from PyTorch.

    Raises:
        BundleError: It is no bundle, or its weights do not fit its architecture.
        ConfigError: The file exists already.
        ModelError: The network cannot be written, or its logits change.
    """
    reject_existing_file(output, overwrite=overwrite)
    from deepfake.detectors.inference.torch_networks import load_module

    bundle = load_bundle(folder)
    module = load_module(bundle)
    metadata = _metadata(bundle)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".onnx-", dir=output.parent) as scratch:
        # OpenVINO recognises ONNX by the name of the file.
        written = Path(scratch) / "model.onnx"
        _write(module, written, size=bundle.spec.input_size, metadata=metadata)
        difference = _compare(module, written, size=bundle.spec.input_size)
        with atomic_path(output) as temporary:
            written.replace(temporary)
    return OnnxExport(output, ONNX_OPSET, metadata, difference)


def reject_existing_file(output: Path, *, overwrite: bool) -> None:
    """Reject the name of a file that is there, unless it is replaced.

    Args:
        output: The file that would be written.
        overwrite: Whether it is replaced.

    Raises:
        ConfigError: The file exists already.
    """
    if output.exists() and not overwrite:
        raise ConfigError(
            f"the file exists already: {output}", hint="Give another name, or --overwrite."
        )


def _metadata(bundle: Bundle) -> dict[str, str]:
    spec = bundle.spec
    size = spec.input_size
    as_json = {
        "mean": spec.mean,
        "std": spec.std,
        "crop": spec.crop.model_dump(mode="json"),
        **{
            f"{part}_{kind}": getattr(own, part).model_dump(mode="json")
            for part in ("calibration", "thresholds")
            for kind, own in spec.judgement.items()
        },
    }
    return {
        "name": spec.name,
        "architecture": spec.architecture,
        "bundle_digest": bundle.digest,
        "opset": str(ONNX_OPSET),
        "input": f"float32 (N, 3, {size}, {size}), RGB, (pixel / 255 - mean) / std",
        "input_size": str(size),
        "resize": "the crop to input_size: averaging areas to shrink, bicubic to grow",
        "output": f"evidence (N, {len(spec.outputs)}): {', '.join(spec.outputs)}; a logit is "
        "positive for fake, and a probability only once calibrated",
        "prior": str(spec.prior),
        "licence": spec.licence,
        "scope": spec.scope,
        **{name: json.dumps(value) for name, value in as_json.items()},
    }


def _write(module: torch.nn.Module, path: Path, *, size: int, metadata: dict[str, str]) -> None:
    import torch

    example = torch.zeros((2, 3, size, size))
    write_onnx(module, path, example=example, output_name="evidence", metadata=metadata)


def _compare(module: torch.nn.Module, path: Path, *, size: int) -> float:
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((num, 3, size, size), dtype=np.float32) for num in _BATCHES]
    return compare_outputs(compile_engine(read_graph(path)), module, batches=batches)
