"""A bundle's voice network in PyTorch: what is converted, what runs on CUDA, and the reference.

Imported only where PyTorch is needed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake.compute.openvino import Graph
from deepfake.detectors.inference.outputs import Novelty, split_novelty
from deepfake.detectors.voice.conversion import convert_voice_network
from deepfake.detectors.voice.create import VoiceNetwork, create_voice_network
from deepfake.detectors.voice_bundle import VoiceBundle
from deepfake.errors import BundleError, UnknownModelError

__all__ = ["TorchVoiceNetwork", "VoiceOutputs", "build_voice_graph", "load_voice_module"]

_BATCH = 16
"""Windows of a forward pass on CUDA. Always as many, since the shape of a batch chooses the
algorithm, and that the last bits of a logit."""


class VoiceOutputs(nn.Module):
    """A voice network that also returns the novelty of a window.

    Args:
        network: The network.
        novelty: Computes how far a window is from the training data; None for not at all.
    """

    def __init__(self, network: VoiceNetwork, *, novelty: Novelty | None = None) -> None:
        super().__init__()
        self.network = network
        self.novelty = novelty

    def forward(self, samples: Tensor) -> Tensor:
        """Return columns (N, K) of windows (N, T), in the order of `VoiceSpec.outputs`."""
        features = self.network.embed(samples)  # (N, D)
        logits: Tensor = self.network.classifier(features)  # (N, 1)
        if self.novelty is None:
            return logits
        return torch.cat([logits, self.novelty(features)[:, None]], dim=1)


def load_voice_module(bundle: VoiceBundle) -> VoiceOutputs:
    """Return a bundle's network on the CPU, in evaluation mode.

    Raises:
        BundleError: Its weights do not fit its architecture, or there is no such architecture.
    """
    spec = bundle.spec
    try:
        network = create_voice_network(spec.architecture)
        own, novelty = split_novelty(bundle.state_dict())
        network.load_state_dict(own)
    except (UnknownModelError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(
            f"the weights do not fit {spec.architecture} ({reason})", path=bundle.path
        ) from error
    if spec.has_novelty != (novelty is not None):
        raise BundleError("the description and the weights differ on novelty", path=bundle.path)
    return VoiceOutputs(network, novelty=novelty).eval()


class TorchVoiceNetwork:
    """A bundle's network on a device, in float32.

    Args:
        bundle: The detector.
        device: As `resolve_device` returns it.

    Raises:
        BundleError: Its weights do not fit its architecture.
    """

    def __init__(self, bundle: VoiceBundle, *, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.module = load_voice_module(bundle).to(self.device)
        self._size = 1 if self.device.type == "cpu" else _BATCH

    def outputs(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return outputs (N, K) of windows (N, T); N at least 1."""
        starts = range(0, len(windows), self._size)
        return np.concatenate([self._batch(windows[at : at + self._size]) for at in starts])

    def _batch(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        num = len(windows)
        filled = np.zeros((self._size, windows.shape[1]), dtype=np.float32)
        filled[:num] = windows
        # TF32 would move the logits by 1e-3, an algorithm chosen by timing would move them by run.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            outputs: Tensor = self.module(torch.from_numpy(filled).to(self.device))
        return np.asarray(outputs[:num].cpu().numpy(), dtype=np.float32)


def build_voice_graph(bundle: VoiceBundle) -> Graph:
    """Return a bundle's network for the CPU: (1, T) float32 in, a row of outputs out.

    Raises:
        BundleError: Its weights do not fit its architecture.
        ModelError: It cannot be converted, or gives other numbers then.
    """
    return convert_voice_network(load_voice_module(bundle), num_samples=bundle.spec.num_samples)
