"""What names a detector in every score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DetectorIdentity"]


@dataclass(frozen=True, slots=True)
class DetectorIdentity:
    """What names the detector in every score.

    Attributes:
        path: Folder of the bundle.
        name: The registry's or the bundle's name.
        version: The registry's version; None for a bundle from disk.
    """

    path: Path
    name: str
    version: str | None = None
