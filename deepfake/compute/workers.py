"""Worker processes that take one media file after another, so that a crash costs one file.

Each worker is spawned, loads its networks once, and works with one thread. The parent hands out
files, watches time, CPU time and memory, and kills a worker that exceeds a limit; the file that it
held fails, the others do not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pebble import ProcessExpired, ProcessPool

from deepfake.compute.device_process import DeviceAddress, DeviceClient, DeviceProcess, DeviceSetup
from deepfake.compute.processes.spawn import SPAWN
from deepfake.compute.processes.stop import call_when_stopping
from deepfake.compute.spent_seconds import note_seconds, spent_seconds
from deepfake.config import WorkerLimits
from deepfake.errors import ConfigError, DeepfakeError, WorkerError, first_line
from deepfake.types import Status

__all__ = [
    "Failure",
    "MediaWorkers",
    "WorkerSetup",
    "close_workers",
    "connect_device",
    "shared_workers",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

_WATCH_SECONDS = 0.25
_POLL_SECONDS = 0.5
_TRIED_TWICE = frozenset({Status.CRASHED, Status.OUT_OF_MEMORY})
_setup_value: Any = None
_busy_marker = Path()
_device_address: DeviceAddress | None = None


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
    """How workers are started, and what each creates once and keeps.

    Attributes:
        create: A function of a module, called in the worker with `argument`.
        argument: Picklable and hashable.
        limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
        device: What one more process computes for all of them; None where each does for itself.
    """

    create: Callable[[Any], Any]
    argument: Any
    limits: WorkerLimits = field(default_factory=WorkerLimits)
    num_workers: int = 0
    device: DeviceSetup | None = None

    @property
    def resolved_workers(self) -> int:
        """Processes to start."""
        return self.num_workers or len(os.sched_getaffinity(0))


def _start_worker(
    create: Callable[[Any], Any],
    argument: Any,
    registry: str,
    memory_bytes: int,
    device: DeviceAddress | None,
) -> None:
    global _setup_value, _busy_marker, _device_address
    _device_address = device
    # Ctrl-C is the parent's to handle; it closes the pool. Also where somebody sends it to each.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    _busy_marker = Path(registry) / str(os.getpid())
    try:
        _setup_value = create(argument)
        _check_memory(memory_bytes)
    except Exception as error:
        # Reported with the first item: a worker that died here would not say why.
        _setup_value = _SetupFailed(_setup_error(error))


def _end_with_parent() -> None:
    """Kill this worker when its parent dies, whatever its file is doing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait_for_any([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def connect_device() -> DeviceClient | None:
    """Return this worker's connection to the device process; None where it computes for itself.

    Raises:
        WorkerError: The device process cannot be reached.
    """
    return None if _device_address is None else DeviceClient(_device_address)


def _check_memory(memory_bytes: int) -> None:
    needed = psutil.Process().memory_info().rss
    if needed > memory_bytes:
        raise WorkerError(
            f"a media worker needs {needed / 2**20:.0f} MiB before it reads any file, "
            f"over its limit of {memory_bytes / 2**20:.0f} MiB",
            hint="Give workers more with --memory-mb.",
        )


@dataclass(frozen=True, slots=True)
class _SetupFailed:
    error: DeepfakeError


def _setup_error(error: Exception) -> DeepfakeError:
    if isinstance(error, DeepfakeError):
        return error
    name = type(error).__name__
    return WorkerError(f"a media worker could not be set up ({name}: {first_line(error)})")


@dataclass(frozen=True, slots=True)
class _Done:
    """A result, and the CPU seconds that it took."""

    result: Any
    cpu_seconds: float


def _work(function: Callable[[Any, Any], Any], item: Any, spent: float) -> Any:
    """Return the function's result and its cost; what it raises becomes a failure here.

    An exception that cannot be unpickled in the parent would take the whole pool with it.
    """
    if isinstance(_setup_value, _SetupFailed):
        return _setup_value
    began = time.process_time()
    # What earlier steps have spent on the file counts too.
    _busy_marker.write_text(str(began - spent), encoding="ascii")
    try:
        result = function(_setup_value, item)
    except MemoryError:
        result = Failure(Status.OUT_OF_MEMORY, "MemoryError", "memory ran out while reading it")
    except BaseException as error:
        result = _unexpected(error)
    finally:
        _busy_marker.unlink(missing_ok=True)
    return _Done(result, time.process_time() - began)


def _unexpected(error: BaseException) -> Failure:
    message = f"unexpected error: {first_line(error)}"
    return Failure(Status.ERROR, type(error).__name__, message)


@dataclass
class _LimitWatch:
    """Kills workers over a limit of memory or CPU time, and remembers why.

    Only those that hold a file, which then fails. Each of them has a marker in `registry`, named
    by its process, that holds the CPU seconds that it had used before.
    """

    registry: Path
    limits: WorkerLimits
    _reasons: dict[int, Failure] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._run, name="limit-watch", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def reason(self, pid: int | None) -> Failure | None:
        """Return, once, why a worker was killed here; None if it was not."""
        return None if pid is None else self._reasons.pop(pid, None)

    def _run(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            with contextlib.suppress(OSError):
                for marker in list(self.registry.iterdir()):
                    self._check(marker)

    def _check(self, marker: Path) -> None:
        try:
            process = psutil.Process(int(marker.name))
            began = marker.read_text(encoding="ascii")
            reason = self._breach(process, began)
            # Still the same file, or another one would pay for it.
            if reason is not None and marker.read_text(encoding="ascii") == began:
                self._reasons[process.pid] = reason
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            # Gone, or another user's process by now: the number was given out again.
            marker.unlink(missing_ok=True)
        except FileNotFoundError:
            pass  # it has just finished

    def _breach(self, process: psutil.Process, began: str) -> Failure | None:
        if process.memory_info().rss > self.limits.memory_bytes:
            message = f"needed more than {self.limits.memory_bytes / 2**20:.0f} MiB and was stopped"
            return Failure(Status.OUT_OF_MEMORY, "MemoryLimit", message)
        used = process.cpu_times()
        if began and used.user + used.system - float(began) > self.limits.cpu_seconds:
            message = f"needed more than {self.limits.cpu_seconds:g} CPU seconds and was stopped"
            return Failure(Status.TIMEOUT, "CpuLimit", message)
        return None


class MediaWorkers:
    """A pool of workers of one set-up.

    Args:
        setup: What each worker creates once.

    Raises:
        ConfigError: This process may not have children.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        _check_not_daemon()
        self.setup = setup
        self._device = None if setup.device is None else DeviceProcess(setup.device)
        self._folder = tempfile.TemporaryDirectory(prefix="deepfake-workers-")
        self._watch = _LimitWatch(Path(self._folder.name), setup.limits)
        self._watch.start()
        self._pool = ProcessPool(
            max_workers=setup.resolved_workers,
            context=SPAWN,
            initializer=_start_worker,
            initargs=(
                setup.create,
                setup.argument,
                self._folder.name,
                setup.limits.memory_bytes,
                None if self._device is None else self._device.address,
            ),
        )
        # Who waits for a file would wait until it is done.
        self._released = contextlib.ExitStack()
        self._released.enter_context(call_when_stopping(self._pool.stop))

    def map(
        self,
        function: Callable[[Any, Item], Result],
        items: Sequence[Item],
        *,
        is_last: bool = True,
    ) -> Iterator[Result | Failure]:
        """Run `function(made, item)` in the workers, in the order of `items`.

        A file whose worker died or ran out of memory is tried once more: it may have died of
        something else, or of what an earlier file had left in it.

        Args:
            function: A function of a module; `made` is what `setup.create` returned.
            items: Picklable, one a file.
            is_last: Whether no other step for these files follows: what one step has spent on a
                file with a `uri` counts in the next of this process, as the limit is for the file.

        Yields:
            The result of each item, or why there is none.

        Raises:
            DeepfakeError: The set-up failed; what it says.
            WorkerError: The workers were stopped or lost before all items had their turn. No
                item fails for that.
        """
        futures = self._schedule(function, items)
        try:
            for item, future in zip(items, futures, strict=True):
                result = self._outcome(future)
                if _is_to_be_tried_again(result):
                    (again,) = self._schedule(function, [item])
                    result = self._outcome(again)
                yield _noted(item, result, is_last=is_last)
        finally:
            for future in futures:
                future.cancel()

    @property
    def is_usable(self) -> bool:
        """Whether the pool takes work: it is neither closed nor lost."""
        return bool(self._pool.active)

    def _schedule(self, function: Callable[[Any, Any], Any], items: Sequence[Any]) -> list[Any]:
        timeout = self.setup.limits.timeout_seconds
        try:
            return [
                self._pool.schedule(
                    _work, args=(function, item, spent_seconds(item)), timeout=timeout
                )
                for item in items
            ]
        except RuntimeError as error:
            raise WorkerError(f"the media workers take no more work ({error})") from error

    def _outcome(self, future: Any) -> Any:
        result = self._result(future)
        if isinstance(result, _SetupFailed):
            raise result.error
        return result

    def _result(self, future: Any) -> Any:
        self._wait_for(future)
        try:
            return future.result()
        except FutureTimeoutError:
            seconds = self.setup.limits.timeout_seconds
            message = f"took longer than {seconds:g} s by the clock and was stopped"
            return Failure(Status.TIMEOUT, "TimeoutError", message)
        except ProcessExpired as error:
            return self._watch.reason(error.pid) or Failure(
                Status.CRASHED,
                _signal_name(error.exitcode),
                f"the process that read it died ({_signal_name(error.exitcode)})",
            )
        except CancelledError as error:
            raise WorkerError("the media workers were stopped before the work was done") from error
        except BrokenProcessPool as error:
            reason = str(error) or "they were stopped"
            raise WorkerError(f"the media workers were lost ({reason})") from error
        except Exception as error:  # a result that cannot be pickled
            return _unexpected(error)

    def _wait_for(self, future: Any) -> None:
        # A pool that is stopped from another thread may never settle what it had taken on.
        while not wait([future], timeout=_POLL_SECONDS).done:
            if not self.is_usable and not wait([future], timeout=_POLL_SECONDS).done:
                raise WorkerError("the media workers were stopped before the work was done")

    def close(self) -> None:
        """Stop the workers and wait until they are gone."""
        self._released.close()
        self._watch.stop()
        self._pool.stop()
        self._pool.join()
        if self._device is not None:
            self._device.close()
        self._folder.cleanup()

    def __enter__(self) -> MediaWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_to_be_tried_again(result: Any) -> bool:
    failure = result.result if isinstance(result, _Done) else result
    return isinstance(failure, Failure) and failure.status in _TRIED_TWICE


def _noted(item: Any, done: Any, *, is_last: bool) -> Any:
    """Return the result, and remember what it cost until the last step."""
    seconds = done.cpu_seconds if isinstance(done, _Done) else 0.0
    note_seconds(item, seconds, is_last=is_last)
    return done.result if isinstance(done, _Done) else done


def _check_not_daemon() -> None:
    if multiprocessing.current_process().daemon:
        raise ConfigError(
            "media workers cannot be started by a daemon process, as Dask's workers are by default",
            hint="Start them with DASK_DISTRIBUTED__WORKER__DAEMON=False or --no-nanny.",
        )


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
        if setup not in _shared or not _shared[setup].is_usable:
            _shared[setup] = MediaWorkers(setup)
        return _shared[setup]


def close_workers() -> None:
    """Stop all workers that `shared_workers` started."""
    with _shared_lock:
        pools = list(_shared.values())
        _shared.clear()
    for pool in pools:
        pool.close()
