"""Uploads on disk: for as long as they are looked at, and for nobody else to read."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["Uploads"]

_PREFIX = "deepfake-app-"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


class Uploads:
    """A folder of this process, which goes with it.

    What a process that was killed left behind is removed when another one starts.

    Args:
        parent: Where the folder is made; None for the system's place for such.
    """

    def __init__(self, parent: Path | None = None) -> None:
        above = Path(tempfile.gettempdir()) if parent is None else parent
        _sweep(above)
        # `mkdtemp` makes it readable for its owner alone.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=above))
        atexit.register(self.close)

    @contextmanager
    def kept(self, content: bytes | memoryview, *, name: str) -> Iterator[Path]:
        """Yield a file with an upload's bytes, which is gone afterwards.

        Args:
            content: The bytes.
            name: As the visitor named it; only its ending is used.
        """
        suffix = Path(name).suffix
        path = self.folder / f"{uuid.uuid4().hex}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        try:
            path.write_bytes(content)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder and whatever is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep(above: Path) -> None:
    for folder in above.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).split("-", 1)[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
