"""Networks whose answers a test can foretell, made in the device process."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.device_process import DeviceNetwork, Pending
from deepfake.errors import ModelError


@dataclass
class Done:
    """What is finished at once."""

    found: tuple[NDArray[np.float32], ...]

    def is_done(self) -> bool:
        """Say so."""
        return True

    def outputs(self) -> tuple[NDArray[np.float32], ...]:
        """Return it."""
        return self.found


class Means:
    """Gives each picture's mean, and how many pictures the batch held that are not black."""

    batch_size = 8

    def launch(self, pictures: NDArray[np.uint8]) -> Pending:
        """Compute at once."""
        assert len(pictures) == self.batch_size
        means = pictures.reshape(len(pictures), -1).mean(axis=1).astype(np.float32)
        filled = np.full(len(pictures), (means > 0).sum(), dtype=np.float32)
        return Done((means, filled))


class Raising:
    """Fails."""

    batch_size = 2

    def launch(self, pictures: NDArray[np.uint8]) -> Pending:
        """Fail."""
        raise ModelError("this network fails on everything")


class Dying:
    """Takes the process along, the first time that a file is not there."""

    batch_size = 1

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def launch(self, pictures: NDArray[np.uint8]) -> Pending:
        """Die once."""
        if not os.path.exists(self.marker):  # noqa: PTH110
            open(self.marker, "w").close()  # noqa: PTH123
            os._exit(7)
        return Done((np.zeros(1, dtype=np.float32),))


def create(marker: str) -> dict[str, DeviceNetwork]:
    """Make all of them."""
    return {"means": Means(), "raising": Raising(), "dying": Dying(marker)}


def refuse(_: str) -> dict[str, DeviceNetwork]:
    """Make none."""
    raise ModelError("no such detector here")
