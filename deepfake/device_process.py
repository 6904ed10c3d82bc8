"""One process owns the device; media workers hand it pictures through shared memory.

Each worker has a block of memory that both processes map. A request says which network and what
shape, its pictures lie in the block, and so do the answers. The device process takes all requests
that wait, puts those for one network together, and fills every batch up to one size: an algorithm
is chosen by the shape of a batch, so no answer depends on who else asked. It goes on to the next
batch while the device computes, and looks at what is finished in between.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import secrets
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection, Listener, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.errors import DeepfakeError, WorkerError

__all__ = [
    "DeviceAddress",
    "DeviceClient",
    "DeviceNetwork",
    "DeviceProcess",
    "DeviceSetup",
    "Pending",
]

_BLOCK_BYTES = 16 * 2**20
"""Of the memory that a worker shares at first; it grows with the largest request."""

_START_SECONDS = 300.0
"""For the device process to load its networks."""

_AGAIN_SECONDS = 60.0
"""For a worker to find the device process again after it was lost and started anew."""

_IDLE_SECONDS = 0.5

_BUSY_SECONDS, _QUIET_SECONDS = 0.0005, 0.02
"""Between two looks at what is finished, and at who has come."""

_MAX_IN_FLIGHT = 4
"""Batches that the device was given and has not answered."""

Pictures = NDArray[np.uint8]
Outputs = tuple[NDArray[np.float32], ...]


class Pending(Protocol):
    """A batch that the device computes."""

    def is_done(self) -> bool:
        """Return whether the answers are there, without waiting."""
        ...

    def outputs(self) -> Outputs:
        """Wait for the answers; the first axis of each is the batch."""
        ...


class DeviceNetwork(Protocol):
    """A network on the device.

    Attributes:
        batch_size: Pictures that it always takes.
    """

    batch_size: int

    def launch(self, pictures: Pictures) -> Pending:
        """Give the device a batch (batch_size, H, W, 3) and do not wait."""
        ...


@dataclass(frozen=True)
class DeviceSetup:
    """What the device process makes once.

    Attributes:
        create: A function of a module: from `argument` to the networks by name.
        argument: Picklable and hashable.
    """

    create: Callable[[Any], Mapping[str, DeviceNetwork]]
    argument: Any


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
class _Request:
    """What travels through the socket; the pictures are in the block.

    Attributes:
        network: Its name.
        shape: Of the pictures.
        block: Path of a block that the device process has not mapped yet.
    """

    network: str
    shape: tuple[int, ...]
    block: str | None


class _Block:
    """Memory that two processes map. Its file has no name once both have it."""

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
        count = int(np.prod(shape))
        return np.frombuffer(self._map, dtype=dtype, count=count, offset=offset).reshape(shape)


class DeviceClient:
    """A worker's end. One thread at a time may use it.

    Args:
        address: Of the device process.

    Raises:
        WorkerError: It cannot be reached.
    """

    def __init__(self, address: DeviceAddress) -> None:
        self._address = address
        self._block: _Block | None = None
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
            # It was lost, with all that it held, and starts anew at the same place.
            self._connection.close()
            self._block = None
        try:
            self._connection = _connect(self._address, seconds=_AGAIN_SECONDS)
            return self._ask(network, pictures)
        except (EOFError, OSError) as error:
            raise WorkerError("the device process was lost over these pictures") from error

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def _ask(self, network: str, pictures: Pictures) -> Outputs:
        path = self._make_block(pictures.nbytes)
        assert self._block is not None
        self._block.array(pictures.shape, np.uint8)[...] = pictures
        try:
            block = None if path is None else str(path)
            self._connection.send(_Request(network, pictures.shape, block))
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
            self._block = _Block(path, num_bytes=wanted)
        except OSError:  # containers often have little shared memory
            path.unlink(missing_ok=True)
            path = Path(tempfile.gettempdir()) / name
            self._block = _Block(path, num_bytes=wanted)
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


class DeviceProcess:
    """Starts the device process, and starts it anew when it is lost.

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
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(self.address, self._setup, theirs), name="device", daemon=True
        )
        process.start()
        theirs.close()
        try:
            told = ours.recv() if ours.poll(_START_SECONDS) else None
        except EOFError:
            told = WorkerError("the device process died while it loaded its networks")
        finally:
            ours.close()
        if told == "ready":
            return process
        process.kill()
        if isinstance(told, DeepfakeError):
            raise told
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


def _serve(address: DeviceAddress, setup: DeviceSetup, parent: Connection) -> None:
    try:
        networks = setup.create(setup.argument)
        listener = Listener(address.path, authkey=address.key, backlog=64)
    except DeepfakeError as error:
        parent.send(error)
        return
    except Exception as error:
        parent.send(WorkerError(f"the device cannot be set up ({type(error).__name__}: {error})"))
        return
    parent.send("ready")
    parent.close()
    _Server(networks, listener).run()


@dataclass
class _Asked:
    """A request that is being worked on; its pictures may be spread over several batches."""

    connection: Connection
    pictures: Pictures
    answers: list[tuple[int, Outputs]] = field(default_factory=list)
    is_failed: bool = False

    @property
    def is_answered(self) -> bool:
        return sum(len(outputs[0]) for _, outputs in self.answers) == len(self.pictures)


_Rows = list[tuple[_Asked, int, int]]
"""Which rows of which request a batch holds: first and last."""


class _Server:
    def __init__(self, networks: Mapping[str, DeviceNetwork], listener: Listener) -> None:
        self._networks = networks
        self._blocks: dict[Connection, _Block] = {}
        self._arrived: deque[Connection] = deque()
        self._waiting: dict[tuple[str, tuple[int, ...]], _Rows] = {}
        self._in_flight: deque[tuple[Pending, _Rows]] = deque()
        # A stranger's handshake may hang: workers that ask are not held up by it.
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: Listener) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, multiprocessing.AuthenticationError):
                self._arrived.append(listener.accept())

    def run(self) -> None:
        connections: list[Connection] = []
        while True:
            while self._arrived:
                connections.append(self._arrived.popleft())
            for connection in self._readable(connections):
                if not self._receive(connection):
                    connections.remove(connection)
                    self._blocks.pop(connection, None)
            self._launch()
            self._answer()

    def _readable(self, connections: list[Connection]) -> list[Connection]:
        timeout = 0.0 if self._waiting else _BUSY_SECONDS if self._in_flight else _QUIET_SECONDS
        if not connections:
            time.sleep(timeout)
            return []
        return [c for c in wait(connections, timeout=timeout) if isinstance(c, Connection)]

    def _receive(self, connection: Connection) -> bool:
        """Take a request; return whether its worker is still there."""
        try:
            request: _Request = connection.recv()
        except (EOFError, OSError):
            return False
        if request.block is not None:
            self._blocks[connection] = _Block(Path(request.block))
        if request.network not in self._networks:
            return _send(connection, WorkerError(f"no network {request.network!r} on the device"))
        pictures = self._blocks[connection].array(request.shape, np.uint8)
        asked = _Asked(connection, pictures)
        rows = self._waiting.setdefault((request.network, request.shape[1:]), [])
        rows.append((asked, 0, len(pictures)))
        return True

    def _launch(self) -> None:
        """Give the device one batch of each kind that waits."""
        for kind in list(self._waiting):
            if len(self._in_flight) >= _MAX_IN_FLIGHT:
                return
            network = self._networks[kind[0]]
            waiting = [rows for rows in self._waiting.pop(kind) if not rows[0].is_failed]
            taken, left = _first_rows(waiting, count=network.batch_size)
            if left:
                self._waiting[kind] = left
            if not taken:
                continue
            batch = np.zeros((network.batch_size, *kind[1]), dtype=np.uint8)
            at = 0
            for asked, first, last in taken:
                batch[at : at + last - first] = asked.pictures[first:last]
                at += last - first
            try:
                self._in_flight.append((network.launch(batch), taken))
            except Exception as error:
                self._fail(taken, error)

    def _answer(self) -> None:
        """Hand out what is finished; wait for the oldest only if the device has enough to do."""
        while self._in_flight:
            pending, taken = self._in_flight[0]
            if len(self._in_flight) < _MAX_IN_FLIGHT and not pending.is_done():
                return
            self._in_flight.popleft()
            try:
                outputs = pending.outputs()
            except Exception as error:
                self._fail(taken, error)
                continue
            self._hand_out(taken, outputs)

    def _hand_out(self, taken: _Rows, outputs: Outputs) -> None:
        at = 0
        for asked, first, last in taken:
            if asked.is_failed:
                at += last - first
                continue
            asked.answers.append((first, tuple(o[at : at + last - first] for o in outputs)))
            at += last - first
            if asked.is_answered:
                self._reply(asked)

    def _reply(self, asked: _Asked) -> None:
        parts = [outputs for _, outputs in sorted(asked.answers, key=lambda answer: answer[0])]
        places, offset = [], 0
        block = self._blocks.get(asked.connection)
        if block is None:
            return  # its worker has left
        for output in (np.concatenate(rows) for rows in zip(*parts, strict=True)):
            if offset + output.nbytes > block.num_bytes:
                _send(asked.connection, WorkerError("the answers do not fit into shared memory"))
                return
            block.array(output.shape, np.float32, offset=offset)[...] = output
            places.append((output.shape, offset))
            offset += output.nbytes
        _send(asked.connection, places)

    def _fail(self, taken: _Rows, error: Exception) -> None:
        told = (
            error
            if isinstance(error, DeepfakeError)
            else WorkerError(f"the device failed ({type(error).__name__}: {error})")
        )
        for asked, _, _ in taken:
            if not asked.is_failed:
                asked.is_failed = True
                _send(asked.connection, told)


def _first_rows(waiting: _Rows, *, count: int) -> tuple[_Rows, _Rows]:
    """Return rows for one batch, and those left for the next."""
    taken: _Rows = []
    left = deque(waiting)
    while left and count:
        asked, first, last = left.popleft()
        end = min(last, first + count)
        taken.append((asked, first, end))
        count -= end - first
        if end < last:
            left.appendleft((asked, end, last))
    return taken, list(left)


def _send(connection: Connection, answer: Any) -> bool:
    try:
        connection.send(answer)
    except OSError:
        return False  # its worker has left; the next read says so
    return True
