"""Long-lived processes that take one file after another, and outlive none of its accidents.

Each worker is spawned, sets itself up once, and works with one thread. The parent hands out files,
keeps the clock and the memory limit, and kills a worker that breaks either; the file that it held
is charged, the others are not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import psutil
from pebble import ProcessExpired, ProcessPool

from deepfake.config import WorkerLimits
from deepfake.types import Status

__all__ = ["Failure", "MediaWorkers", "WorkerSetup", "close_workers", "shared_workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_WATCH_SECONDS = 0.25
_setup_value: Any = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file has no result: its worker was killed, died, or raised what nobody expected.

    Attributes:
        status: `timeout`, `out_of_memory`, `crashed` or `error`.
        error_type: Name of the error class or signal.
        message: One sentence for a person.
    """

    status: Status
    error_type: str
    message: str


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker makes once, and keeps.

    Attributes:
        create: A function of a module, called in the worker with `argument`.
        argument: Picklable and hashable.
        limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
    """

    create: Callable[[Any], Any]
    argument: Any
    limits: WorkerLimits = field(default_factory=WorkerLimits)
    num_workers: int = 0

    @property
    def resolved_workers(self) -> int:
        """Processes to start."""
        return self.num_workers or len(os.sched_getaffinity(0))


def _start_worker(create: Callable[[Any], Any], argument: Any, registry: str) -> None:
    global _setup_value
    # Ctrl-C is the parent's to handle; it closes the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (Path(registry) / str(os.getpid())).touch()
    _setup_value = create(argument)


def _work(function: Callable[[Any, Any], Any], item: Any) -> Any:
    return function(_setup_value, item)


@dataclass
class _MemoryWatch(Generic[Item]):
    """Kills workers over the memory limit, and remembers which."""

    registry: Path
    memory_bytes: int
    killed: set[int] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._run, name="memory-watch", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            with contextlib.suppress(OSError):
                for entry in list(self.registry.iterdir()):
                    self._check(entry)

    def _check(self, entry: Path) -> None:
        try:
            process = psutil.Process(int(entry.name))
            if process.memory_info().rss > self.memory_bytes:
                self.killed.add(process.pid)
                process.kill()
        except psutil.NoSuchProcess:
            entry.unlink(missing_ok=True)


class MediaWorkers:
    """A pool of workers of one set-up.

    Args:
        setup: What each worker makes once.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self._folder = tempfile.TemporaryDirectory(prefix="deepfake-workers-")
        self._watch: _MemoryWatch[Any] = _MemoryWatch(
            Path(self._folder.name), setup.limits.memory_bytes
        )
        self._watch.start()
        self._pool = ProcessPool(
            max_workers=setup.resolved_workers,
            context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(setup.create, setup.argument, self._folder.name),
        )

    def map(
        self, function: Callable[[Any, Item], Result], items: Sequence[Item]
    ) -> Iterator[Result | Failure]:
        """Run `function(made, item)` in the workers, in the order of `items`.

        Args:
            function: A function of a module; `made` is what `setup.create` returned.
            items: Picklable, one a file.

        Yields:
            The result of each item, or why there is none.
        """
        timeout = self.setup.limits.timeout_seconds
        futures = [
            self._pool.schedule(_work, args=(function, item), timeout=timeout) for item in items
        ]
        try:
            for future in futures:
                yield self._outcome(future)
        finally:
            for future in futures:
                future.cancel()

    def _outcome(self, future: Any) -> Any:
        limits = self.setup.limits
        try:
            return future.result()
        except FutureTimeoutError:
            message = f"took longer than {limits.timeout_seconds:g} s and was stopped"
            return Failure(Status.TIMEOUT, "TimeoutError", message)
        except ProcessExpired as error:
            if error.pid in self._watch.killed:
                message = f"needed more than {limits.memory_bytes / 2**20:.0f} MiB and was stopped"
                return Failure(Status.OUT_OF_MEMORY, "MemoryLimit", message)
            return Failure(
                Status.CRASHED,
                _signal_name(error.exitcode),
                f"the process that read it died ({_signal_name(error.exitcode)})",
            )
        except MemoryError:
            return Failure(Status.OUT_OF_MEMORY, "MemoryError", "memory ran out while reading it")
        except CancelledError:
            return Failure(Status.ERROR, "Cancelled", "the run was stopped before its turn")
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else "no message"
            return Failure(Status.ERROR, type(error).__name__, f"unexpected error: {text}")

    def close(self) -> None:
        """Stop the workers and wait until they are gone."""
        self._watch.stop()
        self._pool.stop()
        self._pool.join()
        self._folder.cleanup()

    def __enter__(self) -> MediaWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _signal_name(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-exitcode).name
    return f"exit code {exitcode}"


_shared: dict[WorkerSetup, MediaWorkers] = {}
_shared_lock = threading.Lock()


def shared_workers(setup: WorkerSetup) -> MediaWorkers:
    """Return this process's workers of that set-up, starting them at the first call.

    Batches that run side by side in threads share one pool, so a core has one worker.
    """
    with _shared_lock:
        if setup not in _shared:
            _shared[setup] = MediaWorkers(setup)
        return _shared[setup]


def close_workers() -> None:
    """Stop all workers that `shared_workers` started."""
    with _shared_lock:
        pools = list(_shared.values())
        _shared.clear()
    for pool in pools:
        pool.close()
