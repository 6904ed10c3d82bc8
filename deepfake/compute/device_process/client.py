"""Connect a worker to the device process."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from multiprocessing.connection import Client, Connection
from pathlib import Path

import numpy as np

from deepfake.compute.device_process.messages import (
    Block,
    DeviceAddress,
    Outputs,
    Pictures,
    Request,
)
from deepfake.errors import DeepfakeError, WorkerError

__all__ = ["DeviceClient"]

_BLOCK_BYTES = 16 * 2**20
"""Of the memory that a worker shares at first; it grows with the largest request."""

_AGAIN_SECONDS = 60.0
"""For a worker to find the device process again after it was lost and started again."""


class DeviceClient:
    """A worker's connection to the device process. One thread at a time may use it.

    Args:
        address: Of the device process.

    Raises:
        WorkerError: It cannot be reached.
    """

    def __init__(self, address: DeviceAddress) -> None:
        self._address = address
        self._block: Block | None = None
        self._connection = _connect(address, seconds=_AGAIN_SECONDS)

    def run(self, network: str, pictures: Pictures) -> Outputs:
        """Return a network's answers.

        Args:
            network: Its name.
            pictures: Shape (N, H, W, 3), uint8, N at least 1.

        Returns:
            One array for each of its outputs, (N, ...) float32.

        Raises:
            WorkerError: The device process was lost twice over these pictures.
            DeepfakeError: The network failed on them.
        """
        try:
            return self._ask(network, pictures)
        except (EOFError, OSError):
            # It was lost, with all that it held, and starts again at the same address.
            self._connection.close()
            self._block = None
        try:
            self._connection = _connect(self._address, seconds=_AGAIN_SECONDS)
            return self._ask(network, pictures)
        except (EOFError, OSError) as error:
            raise WorkerError("the device process was lost over these pictures") from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, network: str, pictures: Pictures) -> Outputs:
        path = self._make_block(pictures.nbytes)
        assert self._block is not None
        self._block.array(pictures.shape, np.uint8)[...] = pictures
        try:
            block = None if path is None else str(path)
            self._connection.send(Request(network, pictures.shape, block))
            answer = self._connection.recv()
        finally:
            if path is not None:
                path.unlink(missing_ok=True)
        if isinstance(answer, DeepfakeError):
            raise answer
        return self._outputs(answer)

    def _outputs(self, answer: list[tuple[tuple[int, ...], int]]) -> Outputs:
        assert self._block is not None
        return tuple(
            self._block.array(shape, np.float32, offset=offset).copy() for shape, offset in answer
        )

    def _make_block(self, num_bytes: int) -> Path | None:
        """Return the path of a block, if the one that is there is too small."""
        if self._block is not None and self._block.num_bytes >= num_bytes:
            return None
        wanted = max(_BLOCK_BYTES, num_bytes)
        name = f"deepfake-block-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            path = Path(self._address.path).parent / name
            self._block = Block(path, num_bytes=wanted)
        except OSError:  # containers often have little shared memory
            path.unlink(missing_ok=True)
            path = Path(tempfile.gettempdir()) / name
            self._block = Block(path, num_bytes=wanted)
        return path


def _connect(address: DeviceAddress, *, seconds: float) -> Connection:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return Client(address.path, authkey=address.key)
        except (OSError, EOFError) as error:
            if time.monotonic() > deadline:
                raise WorkerError(
                    f"the device process cannot be reached ({type(error).__name__})"
                ) from error
            time.sleep(0.05)
