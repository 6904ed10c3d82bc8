"""What a text names: a file or folder of this machine, or one in a store."""

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
    "remove_folder",
]

Location = Path | StorePath
"""A file or folder, here or in a store."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)


def is_store_uri(text: str) -> bool:
    """Return whether a text names something in a store, not a file here."""
    return "://" in text


def location_of(text: str | Path | StorePath) -> Location:
    """Return what a text from the command line names: a path, or a URI of a store.

    Raises:
        ConfigError: A scheme that nothing reads, or whose package is missing.
    """
    if isinstance(text, StorePath):
        return text
    found = _SCHEME.match(str(text))
    if found is None:
        return Path(text)
    if not is_store_uri(str(text)):
        # `Path` made one slash of two, or a shell's user forgot one.
        raise ConfigError(
            f"a URI of a store was meant, or a folder named '{found[1]}:', which is not taken",
            hint=f"Write {found[1]}://bucket/name. Commands that say no URI take local paths only.",
        )
    scheme, rest = str(text).split("://", 1)
    if "@" in rest.split("/", 1)[0]:
        raise ConfigError(
            f"credentials do not belong into a URI ({scheme}://...)",
            hint="Give them as the store's own environment variables or configuration files.",
        )
    file_system(scheme.lower())
    if not rest.strip("/") or rest.startswith("/") or "::" in str(text):
        raise ConfigError(f"expected {scheme}://bucket/name, got {text}")
    return StorePath(f"{scheme.lower()}://{rest.rstrip('/')}")


def local_path(text: str | Path | StorePath) -> Path:
    """Return what a text names, which has to be here.

    Raises:
        ConfigError: It is in a store.
    """
    place = location_of(text)
    if isinstance(place, StorePath):
        raise ConfigError(f"expected a file or folder of this machine, got {place}")
    return place


def folders_in(place: Location) -> list[str]:
    """Return the names of the folders right below one, sorted; none where it is not there.

    Raises:
        StoreError: The store refused or did not answer.
    """
    if isinstance(place, StorePath):
        return sorted(folder.name for folder in place.iter_folders())
    if not place.is_dir():
        return []
    return sorted(path.name for path in place.iterdir() if path.is_dir())


def remove_folder(place: Location) -> bool:
    """Remove a folder and all that is in it, and return whether there was anything.

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
