"""Parse the source of live pictures that a user names: a camera, a file or a network address.

An address needs its scheme written out. Messages show only its host, since user, password, path
and query may contain secrets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from deepfake.errors import ConfigError

__all__ = ["Source", "parse_source"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_SCHEMES = ("rtsp", "rtsps", "http", "https")
_CAMERA = re.compile(r"(?:/dev/video)?(\d{1,3})")
_USERINFO = re.compile(r"^[^/@]*:[^@]*@")
"""User and password of an address whose scheme was forgotten."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of live pictures.

    Attributes:
        kind: A camera of this machine, a file, or a network address.
        address: The camera's number, the file's path, or the whole URL.
        shown: The address for messages, without secrets.
    """

    kind: Literal["camera", "file", "network"]
    address: str
    shown: str

    def __repr__(self) -> str:
        return f"Source({self.kind}, {self.shown!r})"


def parse_source(text: str) -> Source:
    """Parse a source named on the command line.

    Args:
        text: `0` or `/dev/video0`, a path, or an address that begins with `rtsp://`, `rtsps://`,
            `http://` or `https://`. A file that is called `0` is `./0`.

    Raises:
        ConfigError: The text is empty, of another scheme, or an incomplete address.

    Example:
        >>> parse_source("rtsp://me:word@door.example:8554/live?key=1")
        Source(network, 'rtsp://door.example:8554/...')
    """
    if not text.strip():
        raise ConfigError("the source is empty", hint="Name a camera (0), a file or an address.")
    if camera := _CAMERA.fullmatch(text):
        return Source("camera", camera[1], f"camera {int(camera[1])}")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Source("file", text, _USERINFO.sub("***@", text))
    if scheme[0].lower() not in _SCHEMES:
        raise ConfigError(
            f"sources of the scheme {scheme[0]!r} are not read; "
            f"{', '.join(f'{s}://' for s in _SCHEMES)}, files and cameras are"
        )
    return Source("network", text, _shown(text))


def _shown(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = _host_of(parts)
    except ValueError:  # its message quotes the address
        host = ""
    if not host:
        raise ConfigError(
            "the address is not complete or has characters that it may not have",
            hint="It looks like rtsp://HOST:PORT/PATH; spell out odd characters as %XX.",
        )
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return f"{parts.scheme}://..."  # a password with a slash in it: the host is not the host
    rest = "/..." if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{host}{rest}"


def _host_of(parts: SplitResult) -> str:
    name = parts.hostname or ""
    if ":" in name:
        name = f"[{name}]"
    return f"{name}:{parts.port}" if name and parts.port is not None else name
