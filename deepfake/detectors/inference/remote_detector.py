"""The networks of a detector on one device: the device process and its clients in the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.device_process import DeviceClient, DeviceNetwork, DeviceSetup, Pending
from deepfake.compute.devices import resolve_device
from deepfake.config import Precision
from deepfake.detectors.bundles import load_bundle

if TYPE_CHECKING:
    import torch

    from deepfake.detectors.inference import Detector

__all__ = [
    "DeviceNetworks",
    "create_device_networks",
    "device_setup",
    "remote_detector",
]

_BATCH_SIZES = {"pnet": 4, "rnet": 64, "onet": 16, "detector": 32}
"""Pictures that a batch always holds. A file asks for one canvas, up to 64 candidates, some 12
faces and up to 64 crops at a time."""

_DETECTOR = "detector"


@dataclass(frozen=True, slots=True)
class DeviceNetworks:
    """The networks that the device process computes.

    Attributes:
        device: As `resolve_device` returns it.
        bundle: Folder of the detector; None where faces are found and nothing is scored.
    """

    device: str
    bundle: Path | None = None


def device_setup(device: str, *, bundle: Path | None = None) -> DeviceSetup | None:
    """Return the setup of the device process; None on the CPU, where the workers compute.

    Args:
        device: `auto`, `cpu` or `cuda`.
        bundle: Folder of the detector; None where nothing is scored.

    Raises:
        ConfigError: The device is missing.
    """
    chosen = resolve_device(device)
    if chosen == "cpu":
        return None
    return DeviceSetup(create_device_networks, DeviceNetworks(chosen, bundle))


def create_device_networks(argument: DeviceNetworks) -> dict[str, DeviceNetwork]:
    """Load the networks onto the device, in its process.

    Raises:
        BundleError: The detector cannot be loaded.
        FaceError: The face detector cannot be built.
    """

    from deepfake.detectors.inference.torch_networks import TorchNetwork
    from deepfake.extract.faces.networks import NETWORK_NAMES, TorchRunner

    runner = TorchRunner(device=argument.device)
    computing: dict[str, Callable[[torch.Tensor], tuple[torch.Tensor, ...]]] = {
        name: partial(runner.compute, name) for name in NETWORK_NAMES
    }
    if argument.bundle is not None:
        network = TorchNetwork(load_bundle(argument.bundle), device=argument.device)
        computing[_DETECTOR] = lambda pictures: (network.compute(pictures),)
    return {
        name: _TorchOnDevice(compute, device=argument.device, batch_size=_BATCH_SIZES[name])
        for name, compute in computing.items()
    }


class _TorchOnDevice:
    def __init__(
        self,
        compute: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
        *,
        device: str,
        batch_size: int,
    ) -> None:
        import torch

        self.batch_size = batch_size
        self._compute = compute
        self._device = torch.device(device)

    def launch(self, pictures: NDArray[np.uint8]) -> Pending:
        import torch

        batch = torch.from_numpy(pictures)
        if self._device.type == "cpu":
            return _Launched(None, self._compute(batch))
        # Pinned on both ways: else the copies would wait for the device.
        on_device = batch.pin_memory().to(self._device, non_blocking=True)
        outputs = tuple(
            torch.empty(out.shape, dtype=torch.float32, pin_memory=True).copy_(
                out, non_blocking=True
            )
            for out in self._compute(on_device)
        )
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self._device))
        return _Launched(done, outputs)


class _Launched:
    def __init__(self, done: torch.cuda.Event | None, outputs: tuple[torch.Tensor, ...]) -> None:
        self._done = done
        self._outputs = outputs

    def is_done(self) -> bool:
        return self._done is None or bool(self._done.query())  # type: ignore[no-untyped-call]

    def outputs(self) -> tuple[NDArray[np.float32], ...]:
        if self._done is not None:
            self._done.synchronize()
        return tuple(out.numpy() for out in self._outputs)


class _RemoteNetwork:
    def __init__(self, client: DeviceClient) -> None:
        self._client = client

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        (outputs,) = self._client.run(_DETECTOR, pictures)
        return outputs


def remote_detector(
    folder: Path, *, client: DeviceClient, device: str, precision: Precision = "f32"
) -> Detector:
    """Return a bundle's detector whose network the device process computes.

    Args:
        folder: The bundle.
        client: The worker's end.
        device: Where the device process computes.
        precision: As for `load_detector`.

    Raises:
        BundleError: The bundle is incomplete or altered.
    """
    # Only here: whoever sets up workers imports this module, and no network.
    from deepfake.detectors.inference import Detector

    return Detector(
        bundle=load_bundle(folder),
        network=_RemoteNetwork(client),
        device=device,
        precision=precision,
    )
