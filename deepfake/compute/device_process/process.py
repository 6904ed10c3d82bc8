"""Start the device process and keep it alive."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from pathlib import Path
from typing import Any

from deepfake.compute.device_process.messages import DeviceAddress
from deepfake.compute.device_process.server import DeviceSetup, serve
from deepfake.compute.processes.spawn import SPAWN
from deepfake.errors import DeepfakeError, WorkerError

__all__ = ["DeviceProcess"]

_START_SECONDS = 300.0
"""For the device process to load its networks."""

_IDLE_SECONDS = 0.5


class DeviceProcess:
    """Starts the device process, and starts it again when it is lost.

    Args:
        setup: What it makes.

    Attributes:
        address: Where workers reach it.

    Raises:
        DeepfakeError: The set-up failed; what it says.
        WorkerError: It died, or took too long.
    """

    def __init__(self, setup: DeviceSetup) -> None:
        self._setup = setup
        self._folder = tempfile.TemporaryDirectory(prefix="deepfake-device-", dir=_shared_folder())
        self.address = DeviceAddress(
            str(Path(self._folder.name) / "socket"), secrets.token_bytes(32)
        )
        self._is_closing = threading.Event()
        try:
            self._process = self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        self._watch = threading.Thread(target=self._keep_alive, name="device-watch", daemon=True)
        self._watch.start()

    def _start(self) -> Any:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(
            target=serve, args=(self.address, self._setup, theirs), name="device", daemon=True
        )
        process.start()
        theirs.close()
        try:
            answer = ours.recv() if ours.poll(_START_SECONDS) else None
        except EOFError:
            answer = WorkerError("the device process died while it loaded its networks")
        finally:
            ours.close()
        if answer == "ready":
            return process
        process.kill()
        if isinstance(answer, DeepfakeError):
            raise answer
        raise WorkerError(f"the device process was not ready within {_START_SECONDS:g} s")

    def _keep_alive(self) -> None:
        while not self._is_closing.is_set():
            self._process.join(timeout=_IDLE_SECONDS)
            if self._process.is_alive() or self._is_closing.is_set():
                continue
            Path(self.address.path).unlink(missing_ok=True)
            try:
                self._process = self._start()
            except DeepfakeError:
                return  # workers say that it cannot be reached

    def close(self) -> None:
        """Stop it and wait until it is gone."""
        self._is_closing.set()
        self._process.terminate()
        self._process.join()
        self._watch.join()
        self._folder.cleanup()

    def __enter__(self) -> DeviceProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shared_folder() -> str | None:
    # In memory where the system has such a folder; elsewhere the system's own temporary one.
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and os.access(folder, os.W_OK) else None
