"""Run the `deepfake` command in a process of its own, as a user does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

__all__ = [
    "Completed",
    "drop_root_rights",
    "kill_deepfake",
    "product_environment",
    "run_deepfake",
]

Completed = subprocess.CompletedProcess[str]

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
"""Linux: prctl(2), capabilities(7)."""


def drop_root_rights() -> None:
    """Before `exec`: let root read only what its permissions say, as any ordinary user.

    Another user's id would not do: the interpreter may lie where only root may go.
    """
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "cannot give up a capability")


def product_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without any Prefect or MLflow of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    return {
        **kept,
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def run_deepfake(
    *arguments: str | Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    timeout_seconds: float = 240.0,
) -> Completed:
    """Run the command line in a process of its own.

    Args:
        arguments: After `deepfake`.
        cwd: Where; a folder of the test's, so that no registry of the checkout is found.
        environment: Instead of `product_environment()`.
        before: Called in the child before `exec`.
        timeout_seconds: Until the process is killed.
    """
    return subprocess.run(
        [sys.executable, "-m", "deepfake", *map(str, arguments)],
        cwd=cwd,
        env=dict(product_environment() if environment is None else environment),
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


_KILLED = "DEEPFAKE_TEST_KILLED"


def kill_deepfake(
    *arguments: str | Path, cwd: Path, when: Callable[[], bool], timeout_seconds: float = 600.0
) -> None:
    """Run the command line, and kill it and whatever it started once something is so.

    Args:
        arguments: After `deepfake`.
        cwd: Where; a folder of the test's.
        when: Whether the time has come; asked every hundredth of a second.
        timeout_seconds: Until it must have been so.

    Raises:
        AssertionError: The command ended before, or it never was so.
    """
    mark = uuid.uuid4().hex
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "deepfake", *map(str, arguments)],
            cwd=cwd,
            env=product_environment(**{_KILLED: mark}),
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + timeout_seconds
            while process.poll() is None and not when():
                assert time.monotonic() < deadline, "the time to kill it never came"
                time.sleep(0.01)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            _kill_marked(mark)
        printed.seek(0)
        assert code == -signal.SIGKILL, f"it ended before it was killed: {printed.read()}"


def _kill_marked(mark: str) -> None:
    """Kill what has left the group, such as a server."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(_KILLED) == mark:
                process.kill()
                process.wait(10)
