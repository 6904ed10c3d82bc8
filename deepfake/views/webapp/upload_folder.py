"""The folder of uploads: each file is deleted once it is scored, and only its owner can read it."""

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

__all__ = ["UploadFolder"]

_PREFIX = "deepfake-app-"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


class UploadFolder:
    """A temporary folder of this process, deleted when the process ends.

    The folder of a process that was killed is deleted when the next one starts.

    Args:
        parent: Where the folder is created; None for the system's temporary folder.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        _delete_abandoned(parent)
        # `mkdtemp` makes it readable for its owner alone.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        atexit.register(self.close)

    @contextmanager
    def saved(self, content: bytes | memoryview, *, name: str) -> Iterator[Path]:
        """Yield a file with the bytes of an upload, which is deleted afterwards.

        Args:
            content: The bytes.
            name: File name, as the visitor sent it; only its suffix is used.
        """
        suffix = Path(name).suffix
        path = self.folder / f"{uuid.uuid4().hex}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        try:
            path.write_bytes(content)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete the folder and everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _delete_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).split("-", 1)[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
