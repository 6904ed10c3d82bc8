"""What workers and the device process exchange: an address, requests, shared memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "DeviceAddress", "Outputs", "Pictures", "Request"]

Pictures = NDArray[np.uint8]
Outputs = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where a device process listens.

    Attributes:
        path: Of its socket.
        key: Without which it talks to nobody.
    """

    path: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What travels through the socket; the pictures are in the block.

    Attributes:
        network: Its name.
        shape: Of the pictures.
        block: Path of a block that the device process has not mapped yet.
    """

    network: str
    shape: tuple[int, ...]
    block: str | None


class Block:
    """Memory that two processes map. Its file has no name once both have it.

    Args:
        path: Of the file.
        num_bytes: For a new one; None maps one that is there.

    Raises:
        OSError: It is not there, or the system has not so much memory.
    """

    def __init__(self, path: Path, *, num_bytes: int | None = None) -> None:
        flags = os.O_RDWR if num_bytes is None else os.O_RDWR | os.O_CREAT | os.O_EXCL
        handle = os.open(path, flags, 0o600)
        try:
            if num_bytes is not None:
                # Reserved, not only promised: writing to memory that is not there kills.
                os.posix_fallocate(handle, 0, num_bytes)
            self._map = mmap.mmap(handle, 0)
        finally:
            os.close(handle)
        self.num_bytes = len(self._map)

    def array(self, shape: Sequence[int], dtype: Any, *, offset: int = 0) -> NDArray[Any]:
        """Return a view of a part of the memory, `offset` bytes from its start."""
        count = int(np.prod(shape))
        return np.frombuffer(self._map, dtype=dtype, count=count, offset=offset).reshape(shape)
