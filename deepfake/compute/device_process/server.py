"""The device process: gather requests into batches, compute them, return the answers."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from deepfake.compute.device_process.messages import (
    Block,
    DeviceAddress,
    Outputs,
    Pictures,
    Request,
)
from deepfake.errors import DeepfakeError, WorkerError

__all__ = ["DeviceNetwork", "DeviceSetup", "Pending", "serve"]

_BUSY_SECONDS, _QUIET_SECONDS = 0.0005, 0.02
"""Between two looks at what is finished, and at who has come."""

_MAX_IN_FLIGHT = 4
"""Batches that the device was given and has not answered."""


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


def serve(address: DeviceAddress, setup: DeviceSetup, parent: Connection) -> None:
    """Run in the device process until it is stopped.

    Args:
        address: Where to listen.
        setup: What to make.
        parent: Told once: `ready`, or the error that prevented it.
    """
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
class _OpenRequest:
    """A request that is being worked on; its pictures may be spread over several batches."""

    connection: Connection
    pictures: Pictures
    answers: list[tuple[int, Outputs]] = field(default_factory=list)
    is_failed: bool = False

    @property
    def is_answered(self) -> bool:
        return sum(len(outputs[0]) for _, outputs in self.answers) == len(self.pictures)


_Rows = list[tuple[_OpenRequest, int, int]]
"""Which rows of which request a batch holds: first and last."""


class _Server:
    def __init__(self, networks: Mapping[str, DeviceNetwork], listener: Listener) -> None:
        self._networks = networks
        self._blocks: dict[Connection, Block] = {}
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
            message: Request = connection.recv()
        except (EOFError, OSError):
            return False
        if message.block is not None:
            self._blocks[connection] = Block(Path(message.block))
        if message.network not in self._networks:
            return _send(connection, WorkerError(f"no network {message.network!r} on the device"))
        pictures = self._blocks[connection].array(message.shape, np.uint8)
        request = _OpenRequest(connection, pictures)
        rows = self._waiting.setdefault((message.network, message.shape[1:]), [])
        rows.append((request, 0, len(pictures)))
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
            for request, first, last in taken:
                batch[at : at + last - first] = request.pictures[first:last]
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
        for request, first, last in taken:
            if request.is_failed:
                at += last - first
                continue
            request.answers.append((first, tuple(o[at : at + last - first] for o in outputs)))
            at += last - first
            if request.is_answered:
                self._reply(request)

    def _reply(self, request: _OpenRequest) -> None:
        parts = [outputs for _, outputs in sorted(request.answers, key=lambda answer: answer[0])]
        places, offset = [], 0
        block = self._blocks.get(request.connection)
        if block is None:
            return  # its worker has left
        for output in (np.concatenate(rows) for rows in zip(*parts, strict=True)):
            if offset + output.nbytes > block.num_bytes:
                _send(request.connection, WorkerError("the answers do not fit into shared memory"))
                return
            block.array(output.shape, np.float32, offset=offset)[...] = output
            places.append((output.shape, offset))
            offset += output.nbytes
        _send(request.connection, places)

    def _fail(self, taken: _Rows, error: Exception) -> None:
        answer = (
            error
            if isinstance(error, DeepfakeError)
            else WorkerError(f"the device failed ({type(error).__name__}: {error})")
        )
        for request, _, _ in taken:
            if not request.is_failed:
                request.is_failed = True
                _send(request.connection, answer)


def _first_rows(waiting: _Rows, *, count: int) -> tuple[_Rows, _Rows]:
    """Return rows for one batch, and those left for the next."""
    taken: _Rows = []
    left = deque(waiting)
    while left and count:
        request, first, last = left.popleft()
        end = min(last, first + count)
        taken.append((request, first, end))
        count -= end - first
        if end < last:
            left.appendleft((request, end, last))
    return taken, list(left)


def _send(connection: Connection, answer: Any) -> bool:
    try:
        connection.send(answer)
    except OSError:
        return False  # its worker has left; the next read says so
    return True
