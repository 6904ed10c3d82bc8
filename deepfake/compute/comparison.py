"""Compare the outputs of converted networks with PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.openvino import Engine
from deepfake.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["MAX_DIFFERENCE", "compare_outputs"]

MAX_DIFFERENCE = 0.01
"""Between the logits of two forms of one network, over logits of 1 as their share."""


def compare_outputs(
    engine: Engine, module: torch.nn.Module, *, batches: Iterable[NDArray[Any]]
) -> float:
    """Return the largest difference between a converted network's outputs and PyTorch's.

    Args:
        engine: The converted network.
        module: In evaluation mode, on the CPU; gives a tensor or a tuple of tensors.
        batches: Inputs of both.

    Raises:
        ModelError: They differ by more than `MAX_DIFFERENCE`, or in their number or shapes.
    """
    largest = 0.0
    for batch in batches:
        found, expected = engine.run(batch), _torch_outputs(module, batch)
        if [one.shape for one in found] != [one.shape for one in expected]:
            raise ModelError("the converted network gives outputs of other shapes")
        for own, reference in zip(found, expected, strict=True):
            difference = float(np.abs(own - reference).max())
            if not np.allclose(own, reference, atol=MAX_DIFFERENCE, rtol=MAX_DIFFERENCE):
                raise ModelError(
                    f"the converted network gives logits that differ by {difference:.4f}"
                )
            largest = max(largest, difference)
    return largest


def _torch_outputs(module: torch.nn.Module, batch: NDArray[Any]) -> list[NDArray[Any]]:
    import torch

    with torch.inference_mode():
        outputs = module(torch.from_numpy(batch))
    parts = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    return [part.numpy() for part in parts]
