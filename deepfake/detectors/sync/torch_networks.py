"""A bundle's networks in PyTorch: what is converted, what runs on CUDA, and the reference.

Imported only where PyTorch is needed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepfake.compute.openvino import Graph
from deepfake.detectors.sync.conversion import convert_tower
from deepfake.detectors.sync.towers import SyncNetwork, create_sync_network
from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.errors import BundleError

__all__ = ["TorchSyncNetworks", "build_tower_graph", "load_sync_module"]

_BATCH = 64
"""Windows of a forward pass on CUDA. Always as many, since the shape of a batch chooses the
algorithm, and that the last bits of an embedding."""


def load_sync_module(bundle: SyncBundle) -> SyncNetwork:
    """Return a bundle's networks on the CPU, in evaluation mode.

    Raises:
        BundleError: Its weights do not fit.
    """
    network = create_sync_network()
    try:
        network.load_state_dict(bundle.state_dict())
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"the weights do not fit ({reason})", path=bundle.path) from error
    return network.eval()


class TorchSyncNetworks:
    """A bundle's networks on a device, in float32.

    Args:
        bundle: The detector.
        device: As `resolve_device` returns it.

    Raises:
        BundleError: Its weights do not fit.
    """

    def __init__(self, bundle: SyncBundle, *, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.module = load_sync_module(bundle).to(self.device)
        self._size = 1 if self.device.type == "cpu" else _BATCH

    def embed_mouths(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return embeddings (N, D) of windows (N, 5, S, S); N at least 1."""
        return self._embed(windows, is_mouth=True)

    def embed_sounds(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return embeddings (N, D) of windows (N, 1, B, F); N at least 1."""
        return self._embed(windows, is_mouth=False)

    def _embed(self, windows: NDArray[np.float32], *, is_mouth: bool) -> NDArray[np.float32]:
        starts = range(0, len(windows), self._size)
        parts = [self._batch(windows[at : at + self._size], is_mouth=is_mouth) for at in starts]
        return np.concatenate(parts)

    def _batch(self, windows: NDArray[np.float32], *, is_mouth: bool) -> NDArray[np.float32]:
        num = len(windows)
        filled = np.zeros((self._size, *windows.shape[1:]), dtype=np.float32)
        filled[:num] = windows
        tower = self.module.mouth if is_mouth else self.module.sound
        # TF32 would move the cosines by 1e-3, an algorithm chosen by timing would by run.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            outputs: Tensor = tower(torch.from_numpy(filled).to(self.device))
        return np.asarray(outputs[:num].cpu().numpy(), dtype=np.float32)


def build_tower_graph(bundle: SyncBundle, tower: str) -> Graph:
    """Return one of a bundle's networks for the CPU: a window in, an embedding (1, D) out.

    Args:
        bundle: The detector.
        tower: `mouth` or `sound`.

    Raises:
        BundleError: Its weights do not fit.
        ModelError: It cannot be converted, or gives other numbers then.
    """
    return convert_tower(load_sync_module(bundle), "mouth" if tower == "mouth" else "sound")
