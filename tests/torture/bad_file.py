"""The description of one kind of bad file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Kind", "Outside"]


@dataclass(frozen=True)
class Outside:
    """What no file may make the program touch.

    Attributes:
        url: Of a server that counts connections.
        canary: A picture outside of the folder.
        hidden: Name of a picture in the folder that is hidden, so that nobody asked for it.
    """

    url: str
    canary: Path
    hidden: str = ".canary.jpg"


@dataclass(frozen=True)
class Kind:
    """A bad or odd file.

    Attributes:
        name: What it is called in the folder; may contain folders.
        statuses: What its row may say, separated by spaces.
        write: Writes it.
    """

    name: str
    statuses: str
    write: Callable[[Path, Outside], object]

    @property
    def expected(self) -> frozenset[str]:
        """What its row may say."""
        return frozenset(self.statuses.split())
