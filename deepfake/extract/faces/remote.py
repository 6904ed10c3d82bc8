"""Run MTCNN's networks in the device process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.device_process import DeviceClient
from deepfake.extract.faces.networks import NetworkName, Networks

__all__ = ["remote_networks"]


def remote_networks(client: DeviceClient) -> Networks:
    """Return MTCNN's networks, computed by the device process."""

    def run(name: NetworkName, pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        return client.run(name, pictures)

    return Networks(run)
