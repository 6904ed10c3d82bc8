"""Write networks as ONNX files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake.errors import ModelError, first_line

if TYPE_CHECKING:
    import torch

__all__ = ["ONNX_OPSET", "write_onnx"]

ONNX_OPSET = 18
"""What PyTorch writes without a conversion; ONNX Runtime reads it since 1.14 (2023)."""


def write_onnx(
    module: torch.nn.Module,
    path: Path,
    *,
    example: torch.Tensor,
    output_name: str,
    metadata: Mapping[str, str],
) -> None:
    """Write a network with one input, `input`, and one output as a file of ONNX.

    Args:
        module: In evaluation mode, on the CPU.
        path: The file; it is written over.
        example: Two inputs or more; how many there are stays open, the rest of the shape is fixed.
        output_name: Of its output.
        metadata: Written into the file.

    Raises:
        ModelError: The network does something that cannot be written.
    """
    import torch

    try:
        # The exporter warns about its own inside.
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["input"],
                output_names=[output_name],
                opset_version=ONNX_OPSET,
                verbose=False,
            )
    except Exception as error:  # torch.export passes on whatever the network's code raises
        raise ModelError(f"the network cannot be written as ONNX ({first_line(error)})") from error
    assert program is not None
    _remove_sources(program.model)
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=False)


def _remove_sources(model: Any) -> None:
    # Every node names the source lines that made it, with their paths on this machine.
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
