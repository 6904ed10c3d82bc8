"""Functions for media workers to run; they must stand in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

__all__ = ["OddError", "create", "create_and_die", "create_never", "work"]


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
    if kind == "slow":
        time.sleep(value)
        return value
    if kind == "signal":
        os.kill(os.getpid(), value)
        time.sleep(5)
    if kind == "spin":
        until = time.process_time() + value
        while time.process_time() < until:
            pass
        return value
    if kind == "dies_once":
        if value.exists():
            return made
        value.touch()
        os.kill(os.getpid(), SEGV)
        time.sleep(5)
    if kind == "dies_always":
        with value.open("a") as stream:
            stream.write("x")
        os.kill(os.getpid(), SEGV)
        time.sleep(5)
    if kind == "exit":
        os._exit(value)
    if kind == "memory":
        block = bytearray(os.urandom(1 << 20)) * value
        time.sleep(10)
        return len(block)
    raise _ERRORS[kind]()


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
