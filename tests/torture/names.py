"""Unusual file names, and entries that are no files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.torture.bad_file import Kind, Outside
from tests.torture.stills import face_jpeg

__all__ = ["NAMES", "NOT_UTF8", "THINGS"]


def _face(path: Path, _: Outside) -> None:
    path.write_bytes(face_jpeg(192))


_LONG = "n" * (255 - 4 - 4) + "\N{CLOWN FACE}" + ".jpg"

_NAMES = [
    "two\nlines.jpg",
    "line\r\nends.jpg",
    "\"quotes\" and 'others'.jpg",
    "emoji \N{PILE OF POO}\N{ZERO WIDTH JOINER}.jpg",
    "right-to-left \u202egpj.exe.jpg",
    "\x1b[31mred\x1b[0m \a.jpg",
    "-rf.jpg",
    "--help",
    "=1+1.jpg",
    "@SUM(1).jpg",
    "concat:a.jpg|b.jpg",
    "pipe:0",
    "http:",
    "%s%n%d.jpg",
    "$(touch escaped).jpg",
    "a;b&c|d.jpg",
    "back\\slash.jpg",
    "star*[a]?.jpg",
    "%04d.jpg",
    " spaces .jpg ",
    "e\u0301.jpg",
    "\u00e9.jpg",
    "\ufeffmark.jpg",
    _LONG,
]
NAMES = [Kind(f"names/{name}", "ok", _face) for name in _NAMES]

NOT_UTF8 = [b"bytes-\xff\xfe.jpg", b"bytes-\\xff\xfe.jpg", b"latin-\xe9.png"]
"""Names that are no text; the second one looks like the first once both are written out."""

_TWIN = "names/bytes-\\xff\\xfe.jpg"
"""A name that is text, and looks like one that is not once that is written out."""


def _closed(path: Path, outside: Outside) -> None:
    _face(path, outside)
    path.chmod(0)


def _closed_folder(path: Path, outside: Outside) -> None:
    path.mkdir()
    _face(path / "inside.jpg", outside)
    path.chmod(0)


def _folder(path: Path, outside: Outside) -> None:
    path.mkdir()
    _face(path / "inside.jpg", outside)


def _socket(path: Path, _: Outside) -> None:
    # Names of sockets may have some 100 bytes: it is bound where the name is short.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def _link(target: str) -> object:
    return lambda path, _: path.symlink_to(target)


THINGS = [
    Kind(_TWIN, "ok", _face),
    Kind("closed.jpg", "unreadable", _closed),
    Kind("closed-folder", "unreadable", _closed_folder),
    Kind("folder.mp4", "unsupported", _folder),
    Kind("pipe.mp4", "unsupported", lambda path, _: os.mkfifo(path)),
    Kind("socket.mp4", "unsupported", _socket),
    Kind("endless.mp4", "unsupported", _link("/dev/zero")),
    Kind("random.jpg", "unsupported", _link("/dev/urandom")),
    Kind("terminal.mp4", "unsupported", _link("/dev/tty")),
    Kind("dangling.mp4", "missing", _link("nowhere.mp4")),
    Kind("itself.mp4", "unreadable", _link("itself.mp4")),
    Kind("ring-a.mp4", "unreadable", _link("ring-b.mp4")),
    Kind("ring-b.mp4", "unreadable", _link("ring-a.mp4")),
    Kind("linked.jpg", "ok", _link("picture.mp4")),
    Kind("of-the-system.jpg", "empty", _link("/proc/version")),
]
