"""A bundle's network in PyTorch: what is converted, what runs on CUDA, and the reference.

Imported only where PyTorch is needed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake.compute.comparison import compare_outputs
from deepfake.compute.openvino import Graph, compile_engine, convert_module
from deepfake.detectors.bundles import Bundle, DetectorSpec
from deepfake.detectors.inference.outputs import DetectorNetwork
from deepfake.detectors.models import JointNetwork, create_model
from deepfake.errors import BundleError, UnknownModelError

__all__ = ["PixelNetwork", "TorchNetwork", "build_graph", "load_module"]

_BATCH = 32
"""Crops of a forward pass: past this a CPU gains nothing and memory grows. On CUDA always as many,
since the shape of a batch chooses the algorithm, and that the last bits of a logit."""


def load_module(bundle: Bundle) -> DetectorNetwork:
    """Return a bundle's network on the CPU, in evaluation mode.

    Raises:
        BundleError: Its weights do not fit its architecture, or there is no such architecture.
    """
    spec = bundle.spec
    try:
        network = DetectorNetwork.of_state(
            _create_network(spec), heads=spec.heads, state=bundle.state_dict()
        )
    except (UnknownModelError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(
            f"the weights do not fit {spec.architecture} ({reason})", path=bundle.path
        ) from error
    if spec.has_novelty != (network.novelty is not None):
        raise BundleError("the description and the weights differ on novelty", path=bundle.path)
    return network.eval()


def _create_network(spec: DetectorSpec) -> nn.Module:
    if not spec.joined:
        return _create_single(
            spec.architecture, input_size=spec.input_size, num_heads=len(spec.heads)
        )
    return JointNetwork(
        [
            _create_single(one.architecture, input_size=one.input_size, num_heads=one.num_heads)
            for one in spec.joined
        ],
        sizes=[one.input_size for one in spec.joined],
    )


def _create_single(architecture: str, *, input_size: int, num_heads: int) -> nn.Module:
    created = create_model(
        architecture, pretrained="none", input_size=input_size, num_heads=num_heads
    )
    return created.module


class PixelNetwork(nn.Module):
    """A network with its normalisation: pictures in bytes go in, a row of outputs each comes out.

    Args:
        module: Takes (N, 3, S, S), gives (N, K).
        mean: Per channel, of a pixel scale of 0 to 1.
        std: Per channel, of a pixel scale of 0 to 1.
        dtype: What the network computes in; normalised is always in float32.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self,
        module: DetectorNetwork,
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.module = module
        # What is made of the logits and the features stays in float32.
        module.network.to(dtype)
        self.dtype = dtype
        self.register_buffer("offset", torch.tensor(mean) * 255.0)
        self.register_buffer("scale", torch.tensor(std) * 255.0)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return outputs (N, K) float32 of pictures (N, S, S, 3) uint8, RGB."""
        normalised = (pictures.to(torch.float32) - self.offset) / self.scale
        # (N, H, W, 3) -> (N, 3, H, W): channels last in memory, as it was.
        outputs: Tensor = self.module(normalised.permute(0, 3, 1, 2).to(self.dtype))
        return outputs.to(torch.float32)


class TorchNetwork:
    """A bundle's network on a device: in float32 on the CPU, in half precision on CUDA.

    Args:
        bundle: The detector.
        device: As `resolve_device` returns it.

    Raises:
        BundleError: Its weights do not fit its architecture.
    """

    def __init__(self, bundle: Bundle, *, device: str = "cpu") -> None:
        self.device = torch.device(device)
        is_on_cpu = self.device.type == "cpu"
        self.module = PixelNetwork(
            load_module(bundle),
            mean=bundle.spec.mean,
            std=bundle.spec.std,
            dtype=torch.float32 if is_on_cpu else torch.float16,
        )
        self.module.to(self.device).eval()
        self._is_filled = not is_on_cpu

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return outputs (N, K) of pictures (N, S, S, 3), RGB; N at least 1."""
        parts = [self._batch(pictures[at : at + _BATCH]) for at in range(0, len(pictures), _BATCH)]
        return np.concatenate(parts)

    def _batch(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        num = len(pictures)
        if self._is_filled and num < _BATCH:
            empty = np.zeros((_BATCH - num, *pictures.shape[1:]), dtype=np.uint8)
            pictures = np.concatenate([pictures, empty])
        outputs = self.compute(torch.from_numpy(pictures).to(self.device))
        return np.asarray(outputs[:num].cpu().numpy(), dtype=np.float32)

    def compute(self, pictures: Tensor) -> Tensor:
        """Return outputs (N, K) on the device, without waiting for it.

        Args:
            pictures: Shape (N, S, S, 3), uint8, RGB, on the device.
        """
        # TF32 would move the logits by 1e-3, an algorithm chosen by timing would move them by run.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            outputs: Tensor = self.module(pictures)
            return outputs


def build_graph(bundle: Bundle) -> Graph:
    """Return a bundle's network for the CPU: (1, S, S, 3) uint8 in, a row of outputs out.

    Raises:
        BundleError: Its weights do not fit its architecture.
        ModelError: It cannot be converted, or gives other numbers then.
    """
    spec = bundle.spec
    network = PixelNetwork(load_module(bundle), mean=spec.mean, std=spec.std).eval()
    shape = (1, spec.input_size, spec.input_size, 3)
    graph = convert_module(network, example=torch.zeros(shape, dtype=torch.uint8))
    noise = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    compare_outputs(compile_engine(graph), network, batches=[noise])
    return graph
