"""Run a fuzzer: seeds, limits, and an audit hook that reports forbidden actions."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import atheris

from deepfake.errors import DeepfakeError
from fuzz.mutate import create_mutator

__all__ = ["fuzz"]

_DEFAULTS = {
    "rss_limit_mb": 2048,
    "timeout": 60,
    "max_len": 1 << 16,
    "len_control": 0,
    "print_final_stats": 1,
}

_FORBIDDEN = frozenset(
    {"pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"}
    | {"socket.connect", "socket.getaddrinfo", "socket.bind", "shutil.rmtree", "ctypes.dlopen"}
)
"""Events of Python's audit hooks that no reader of a file may cause."""


def fuzz(name: str, use: Callable[[Path, bytes], object], seeds: Mapping[str, bytes]) -> None:
    """Feed mutated seeds to a function until libFuzzer stops; does not return.

    Args:
        name: Of the program; what it finds and learns is kept under `data/fuzz/NAME`, unless the
            command line names a folder.
        use: Gets an empty folder to write to and the bytes. Of what it raises only errors of this
            project are no finding.
        seeds: Whole files to begin with, by name.
    """
    own = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    kept = Path(own[0]) if own else Path("data") / "fuzz" / name
    (kept / "corpus").mkdir(parents=True, exist_ok=True)
    for seed, data in seeds.items():
        (kept / "corpus" / f"seed-{seed}").write_bytes(data)
    given = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    named = {argument[1:].split("=")[0] for argument in given}
    options = [f"-{key}={value}" for key, value in _DEFAULTS.items() if key not in named]
    # Memory is quick to come by and files are many.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-", dir=place))
    _fork_and_clean_up(folder)
    tempfile.tempdir = str(folder)  # a copy without a name may be made of a part of a file
    watch = _Watch(folder)

    def test_one_input(data: bytes) -> None:
        with watch.active(), suppress(DeepfakeError):
            use(folder, data)
        _empty(folder)

    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={kept}/found-", *given, str(kept / "corpus")],
        test_one_input,
        custom_mutator=create_mutator(list(seeds.values())),
    )
    atheris.Fuzz()


def _fork_and_clean_up(folder: Path) -> None:
    """Continue in a child process; the parent waits for it and removes the folder."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(os.waitstatus_to_exitcode(status))


class _Watch:
    """An audit hook that fails on what no input may cause."""

    def __init__(self, folder: Path) -> None:
        own = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[1]))
        self._allowed = (str(folder), *own, "/proc/self/", "/dev/null")
        self._is_on = False
        self._seen: list[str] = []
        sys.addaudithook(self._note)

    @contextmanager
    def active(self) -> Iterator[None]:
        self._seen.clear()
        self._is_on = True
        try:
            yield
        finally:
            self._is_on = False
        if self._seen:
            raise AssertionError(f"a file made the program do this: {self._seen}")

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        if event in _FORBIDDEN or (event == "open" and not self._is_allowed(*arguments)):
            self._seen.append(f"{event} {arguments}")

    def _is_allowed(self, path: object, mode: object, flags: object) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True  # a handle that is open already
        real = os.path.realpath(os.fsdecode(path))
        return real.startswith(self._allowed)


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
