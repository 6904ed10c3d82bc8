"""Functions for media workers to run; they must stand in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["OddError", "Step", "create", "create_and_die", "create_never", "spin_for", "work"]


@dataclass(frozen=True)
class Step:
    """A step of work on a file that takes CPU time."""

    uri: str
    seconds: float


class OddError(Exception):
    """Cannot be unpickled: its arguments are not those of its constructor."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"odd {first + second}")


def create(argument: Any) -> Any:
    """Return what the worker keeps."""
    return argument


def create_never(argument: Any) -> Any:
    """Fail, as a broken detector bundle does."""
    raise ValueError(f"{argument} is no good\nand more lines")


def create_and_die(argument: Any) -> Any:
    """Die, as a native library does that does not fit the machine."""
    os._exit(7)


def work(made: Any, job: tuple[str, Any]) -> Any:
    """Do one of many things."""
    kind, value = job
    if kind == "add":
        return made + value
    if kind == "pid":
        return os.getpid()
    if kind == "dies_once":
        return made if value.exists() else _note_and_die(value)
    if kind == "exit":
        os._exit(value)
    if kind in _JOBS:
        return _JOBS[kind](value)
    raise _ERRORS[kind]()


def _sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def _spin(seconds: float) -> float:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return seconds


def spin_for(made: Any, step: Step) -> float:
    """Take as much CPU time as a step wants."""
    return _spin(step.seconds)


def _fill(mebibytes: int) -> int:
    block = bytearray(os.urandom(1 << 20)) * mebibytes
    time.sleep(3)
    return len(block)


def _leave(mebibytes: int) -> int:
    _LEFT.append(bytearray(os.urandom(1 << 20)) * mebibytes)
    return mebibytes


def _die(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)


def _note_and_die(path: Path) -> None:
    with path.open("a", encoding="ascii") as stream:
        stream.write("x")
    _die(SEGV)


_LEFT: list[bytearray] = []

_JOBS: dict[str, Callable[[Any], Any]] = {
    "slow": _sleep,
    "spin": _spin,
    "memory": _fill,
    "leave": _leave,
    "signal": _die,
    "dies_always": _note_and_die,
}

_ERRORS = {
    "odd": lambda: OddError(1, 2),
    "value": lambda: ValueError("first line\nsecond line"),
    "silent": lambda: RuntimeError(),
    "timeout": lambda: TimeoutError("the network was slow"),
    "memory_error": lambda: MemoryError(),
    "system_exit": lambda: SystemExit(4),
    "interrupt": lambda: KeyboardInterrupt(),
}
SEGV = signal.SIGSEGV
