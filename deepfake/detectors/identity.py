"""Name and version of a detector, as every score carries them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DetectorIdentity", "name_with_version"]


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

    @property
    def full_name(self) -> str:
        """The name, with the version where there is one."""
        return name_with_version(self.name, self.version)

    def as_record(self, *, digest: str | None = None) -> dict[str, Any]:
        """Return name and version in JSON types.

        Args:
            digest: Of the bundle, to be kept with them.
        """
        record = {"name": self.name, "version": self.version}
        return record if digest is None else {**record, "digest": digest}


def name_with_version(name: str, version: object) -> str:
    """Return a detector's name as people read it.

    Args:
        name: The registry's or the bundle's name.
        version: The registry's version; None for a bundle from disk.

    Example:
        >>> name_with_version("deepfake", "3")
        'deepfake version 3'
    """
    return f"{name} version {version}" if version else name
