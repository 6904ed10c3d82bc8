"""Walk folders and describe single files; shared by all layouts."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deepfake.corpora.layouts.recognise import layout_hint
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.storage import Location, ObjectStat, StorePath, to_uri
from deepfake.storage.times import storable_ns
from deepfake.types import Split, Status

__all__ = [
    "MEDIA_EXTENSIONS",
    "SPLIT_NAMES",
    "describe_folder",
    "is_hidden",
    "is_plain_name",
    "iter_files",
    "iter_objects",
    "layout_error",
    "mark_misnamed",
    "row_of_object",
    "row_of_path",
]

_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_VIDEOS = (
    ".3gp",
    ".avi",
    ".flv",
    ".m2ts",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".mts",
    ".ts",
    ".webm",
    ".wmv",
)
_SOUNDS = (
    ".3ga",
    ".aac",
    ".ac3",
    ".aif",
    ".aiff",
    ".amr",
    ".caf",
    ".flac",
    ".m4a",
    ".mka",
    ".mp3",
    ".ogg",
    ".opus",
    ".w64",
    ".wav",
    ".weba",
    ".wma",
    ".wv",
)
# Without `.au`: folders are called after sites, `abc.net.au`, and all below them would be left out.
MEDIA_EXTENSIONS = frozenset(_IMAGES + _VIDEOS + _SOUNDS)
"""Used only to recognise folders named like a medium; files are never selected by name."""

SPLIT_NAMES = {
    "train": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "test": Split.TEST,
}
"""Names that corpora use for splits, in lower case."""

_DESKTOP_FILES = frozenset({"thumbs.db", "desktop.ini"})


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or belongs to a file manager."""
    return name.startswith(".") or name.lower() in _DESKTOP_FILES


def is_plain_name(name: str) -> bool:
    """Return whether a name from a corpus's list stays inside its folder."""
    return bool(name) and name not in {".", ".."} and not set(name) & {"/", "\\", "\0"}


def iter_files(root: Path) -> Iterator[Path]:
    """Yield everything below a folder that gets a row.

    That is every file that is not hidden, every broken symlink, and every folder that is named like
    a medium (it is not walked) or cannot be listed. Links to folders are followed, unless they lead
    to a folder that contains them.

    Args:
        root: The folder; its own name is ignored.

    Yields:
        Paths below `root`, in an order that depends on their names alone.
    """
    stack: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while stack:
        folder, enclosing = stack.pop()
        try:
            found = folder.stat()
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            yield folder
            continue
        key = (found.st_dev, found.st_ino)
        if key in enclosing:
            continue
        for entry in listed:
            if is_hidden(entry.name):
                continue
            path = folder / entry.name
            if _is_folder(entry) and path.suffix.lower() not in MEDIA_EXTENSIONS:
                stack.append((path, enclosing | {key}))
            else:
                yield path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder without access
        return False


def row_of_path(path: Path, *, corpus: str) -> ManifestRow:
    """Return the unlabelled row of one path, without opening the file.

    Args:
        path: A file, or something else in its place.
        corpus: Name of the corpus.

    Returns:
        A row with status `ok`, size and time; or with the status and message of a problem:
        `missing` if it does not exist, `unreadable` if access is denied,
        `unsupported` for folders, sockets, pipes and names that are not UTF-8.
    """
    row = ManifestRow(uri=_text_of(to_uri(path)), corpus=corpus)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        is_link = path.is_symlink()
        return _failed(row, Status.MISSING, "a broken link" if is_link else "no such file")
    except OSError as error:
        reason = error.strerror or str(error)
        return _failed(row, Status.UNREADABLE, f"access is denied ({reason})")
    row = replace(row, mtime_ns=storable_ns(found.st_mtime_ns))
    if stat.S_ISDIR(found.st_mode):
        is_effective = os.access in os.supports_effective_ids
        if not os.access(path, os.R_OK | os.X_OK, effective_ids=is_effective):
            return _failed(row, Status.UNREADABLE, "a folder without access")
        return _failed(row, Status.UNSUPPORTED, "a folder that is named like a medium")
    if not stat.S_ISREG(found.st_mode):
        return _failed(row, Status.UNSUPPORTED, "not a regular file")
    if row.uri != to_uri(path):
        return _failed(row, Status.UNSUPPORTED, "the name is not valid UTF-8: rename the file")
    return replace(row, size_bytes=found.st_size)


def row_of_object(path: StorePath, object_stat: ObjectStat, *, corpus: str) -> ManifestRow:
    """Return the unlabelled row of an object, from the listing of its store."""
    return ManifestRow(
        uri=path.uri,
        corpus=corpus,
        size_bytes=object_stat.size_bytes,
        mtime_ns=object_stat.mtime_ns,
    )


def iter_objects(root: StorePath, *, corpus: str) -> Iterator[ManifestRow]:
    """Yield the unlabelled rows of everything below a folder of a store that is not hidden.

    A store has no folders, links or special files: every object is a file.

    Raises:
        StoreError: The store refused or did not answer.
    """
    for path, found in root.iter_objects():
        if not any(map(is_hidden, path.relative_to(root).split("/"))):
            yield row_of_object(path, found, corpus=corpus)


def mark_misnamed(row: ManifestRow, *, expected: str) -> ManifestRow:
    """Return the error row of a file whose name does not give the people in it.

    Without them the file could be in two splits, so it is excluded.
    """
    if row.status is not Status.OK:
        return row
    failed = _failed(row, Status.ERROR, f"the name is not of the form {expected}")
    return replace(failed, error_type=CorpusError.__name__)


def layout_error(root: Path, *, expected: str) -> CorpusError:
    """Return the error for a folder that does not have the expected layout."""
    return CorpusError(
        f"expected {expected}; {describe_folder(root)}",
        path=root,
        hint=layout_hint(
            root, otherwise="Give the folder that directly contains these, or another layout."
        ),
    )


def describe_folder(folder: Location, *, limit: int = 8) -> str:
    """Describe the content of a folder, for an error message."""
    if isinstance(folder, StorePath):
        return "found no object below it"
    try:
        listed = sorted(p for p in folder.iterdir() if not is_hidden(p.name))
    except OSError as error:
        return f"found nothing ({error.strerror})"
    folders = [path.name for path in listed if path.is_dir()]
    names = ", ".join(folders[:limit]) + (", ..." if len(folders) > limit else "")
    kinds = f"the folders {names}" if folders else "no folders"
    return f"found {kinds} and {len(listed) - len(folders)} files"


def _failed(row: ManifestRow, status: Status, message: str) -> ManifestRow:
    return replace(row, status=status, message=message)


def _text_of(uri: str) -> str:
    """Return a uri that can be written to Parquet, unique for each path.

    Lone surrogates, which stand for bytes that are not UTF-8, cannot be written. From the first
    path component that has some, such bytes are escaped, and `/./` is inserted before it, which no
    other uri contains.
    """
    parts = os.fsencode(uri).split(b"/")
    at = next((i for i, part in enumerate(parts) if not _is_text(part)), None)
    if at is None:
        return uri
    escaped = b"/".join(parts[at:]).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "/".join([*(part.decode() for part in parts[:at]), ".", escaped])


def _is_text(part: bytes) -> bool:
    try:
        part.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
