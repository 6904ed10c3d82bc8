"""Repair standard streams and environment variables.

A daemon closes the standard streams, a container sets `COLUMNS=0` or has no name for its user, and
`python -m` puts the working folder on the search path. What the libraries make of it is a crash far
away, or silence.
"""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
from pathlib import Path

__all__ = ["normalise_environment"]

_SIZES = ("COLUMNS", "LINES")
_WIDEST = 10_000
_SAFE_PATH = "PYTHONSAFEPATH"
_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Where Python looks for the user's name before it asks the system."""


def normalise_environment() -> None:
    """Open streams that are closed, and mend the environment of this process and its children."""
    _open_closed_streams()
    for name in _SIZES:
        if name in os.environ and not _is_size(os.environ[name]):
            del os.environ[name]
    _name_user()
    # Strangers' files may lie in the working folder; it is no place to import from.
    os.environ.setdefault(_SAFE_PATH, "1")
    _leave_out_working_folder()


def _open_closed_streams() -> None:
    """Connect closed standard streams to the null device, else the next file takes their place."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _WIDEST


def _name_user() -> None:
    """Give a user that the system does not know a name and a home that can be written."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        if not any(os.environ.get(name) for name in _NAMES):
            os.environ["LOGNAME"] = f"uid-{os.getuid()}"
        home = os.environ.get("HOME", "")
        if not home or not os.access(home, os.W_OK):
            os.environ["HOME"] = str(_private_folder())


def _private_folder() -> Path:
    """Return a folder that belongs to this user alone; made anew where another's is in its place.

    It stays, so that converted networks need not be made for each command.
    """
    folder = Path(tempfile.gettempdir(), f"deepfake-home-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
            return Path(tempfile.mkdtemp(prefix="deepfake-home-"))
    except OSError:
        return Path(tempfile.gettempdir())
    return folder


def _leave_out_working_folder() -> None:
    """Take the working folder off the search path, unless this program itself lies in it."""
    if sys.flags.safe_path or not sys.path:
        return
    package = Path(__file__).resolve().parents[2]
    first = Path(sys.path[0] or ".").resolve()
    is_working_folder = first == Path.cwd().resolve()
    if is_working_folder and first != package:
        del sys.path[0]
