"""Name and version of a detector, as every score carries them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DetectorIdentity"]


@dataclass(frozen=True, slots=True)
class DetectorIdentity:
    """Name and version of a detector, as every score carries them.

    Attributes:
        path: Folder of the bundle.
        name: The registry's or the bundle's name.
        version: The registry's version; None for a bundle from disk.
    """

    path: Path
    name: str
    version: str | None = None
