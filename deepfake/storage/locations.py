"""Parse a local path or an object-store URI; list and delete folders of either kind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from deepfake.errors import ConfigError
from deepfake.storage.filesystems import file_system
from deepfake.storage.stores import StorePath

__all__ = [
    "Location",
    "folders_in",
    "is_store_uri",
    "local_path",
    "location_of",
    "nearest_existing",
    "remove_folder",
]

Location = Path | StorePath
"""A file or folder, local or in an object store."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)


def is_store_uri(text: str) -> bool:
    """Return whether a text is a URI and not a local path."""
    return "://" in text


def location_of(text: str | Path | StorePath) -> Location:
    """Parse a local path or an object-store URI.

    Raises:
        ConfigError: The scheme is unknown or its package is not installed, the URI holds
            credentials, or it lacks a slash or a name.
    """
    if isinstance(text, StorePath):
        return text
    found = _SCHEME.match(str(text))
    if found is None:
        return Path(text)
    if not is_store_uri(str(text)):
        # `Path` has merged the two slashes, or the user has typed one.
        raise ConfigError(
            f"a store URI with one slash, or a folder named '{found[1]}:', which is not allowed",
            hint=f"Write {found[1]}://bucket/name. Some commands take local paths only.",
        )
    scheme, rest = str(text).split("://", 1)
    if "@" in rest.split("/", 1)[0]:
        raise ConfigError(
            f"credentials are not allowed in a URI ({scheme}://...)",
            hint="Use the store's own environment variables or configuration files.",
        )
    file_system(scheme.lower())
    if not rest.strip("/") or rest.startswith("/") or "::" in str(text):
        raise ConfigError(f"expected {scheme}://bucket/name, got {text}")
    return StorePath(f"{scheme.lower()}://{rest.rstrip('/')}")


def local_path(text: str | Path | StorePath) -> Path:
    """Parse a local path.

    Raises:
        ConfigError: The text is an object-store URI.
    """
    place = location_of(text)
    if isinstance(place, StorePath):
        raise ConfigError(f"expected a local file or folder, got {place}")
    return place


def folders_in(place: Location) -> list[str]:
    """Return the names of a folder's direct subfolders, sorted; none if it does not exist.

    Raises:
        StoreError: The store refused or did not answer.
    """
    if isinstance(place, StorePath):
        return sorted(folder.name for folder in place.iter_folders())
    if not place.is_dir():
        return []
    return sorted(path.name for path in place.iterdir() if path.is_dir())


def nearest_existing(path: Path) -> Path:
    """Return a path, or its nearest parent that exists."""
    path = path.absolute()
    return next(there for there in (path, *path.parents) if there.exists())


def remove_folder(place: Location) -> bool:
    """Delete a folder with its content, and return whether there was anything.

    Raises:
        StoreError: The store refused or did not answer.
    """
    if isinstance(place, Path):
        if not place.is_dir():
            return False
        shutil.rmtree(place)
        return True
    found = [path for path, _ in place.iter_objects()]
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)
