"""List the files of a folder one by one, without holding the whole listing in memory."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pathspec import GitIgnoreSpec

from deepfake.corpora.layouts.walk import (
    MEDIA_EXTENSIONS,
    is_hidden,
    iter_objects,
    row_of_object,
    row_of_path,
)
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import ConfigError, CorpusError
from deepfake.storage import Location, StorePath

__all__ = ["MediaFilter", "stream_media"]

_FILES_OF_RESULTS = ("state.sqlite", ".lock")
"""What every folder with results of scoring holds from the start."""


@dataclass(frozen=True)
class MediaFilter:
    """Selects files of a folder by name and time of change.

    Patterns are those of a `.gitignore`, relative to the folder: `*.mp4` anywhere, `/2024/*` at
    the top, `raw/` a folder with all below it, `**` any folders.

    Attributes:
        include: A file must match one of these; empty means every file.
        exclude: Files and folders that match one of these are skipped.
        changed_since: A file must have changed at this time or later.

    Raises:
        ConfigError: A pattern is invalid.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    changed_since: datetime | None = None
    _include: GitIgnoreSpec = field(init=False, repr=False, compare=False)
    _exclude: GitIgnoreSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_include", _spec_of(self.include))
        object.__setattr__(self, "_exclude", _spec_of(self.exclude))

    def takes_folder(self, relative: str) -> bool:
        """Return whether a folder is walked."""
        return not self._exclude.match_file(f"{relative}/")

    def takes(self, relative: str, row: ManifestRow) -> bool:
        """Return whether a file is selected."""
        if self.include and not self._include.match_file(relative):
            return False
        if self._exclude.match_file(relative):
            return False
        if self.changed_since is None or row.mtime_ns is None:
            return True
        return row.mtime_ns >= self.changed_since.timestamp() * 1e9


def _spec_of(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise ConfigError(f"invalid file pattern ({error})") from error


def stream_media(
    root: Location,
    *,
    media_filter: MediaFilter | None = None,
    skipped: Location | None = None,
    corpus: str = "media",
) -> Iterator[ManifestRow]:
    """Yield an unlabelled row for every file below a folder, in the order of listing.

    Files are selected as by `walk.iter_files`, except for symlinks: a folder that several links
    lead to is walked once, under its own name if it is below `root`, so cycles of links end. A
    local folder that holds the results of scoring is not walked: its pictures are copies of faces.

    Args:
        root: A folder or a file, local or in a store.
        media_filter: Selects files.
        skipped: A folder that is not walked, such as that of the results.
        corpus: Corpus name for the rows.

    Raises:
        CorpusError: A folder could not be listed completely.
        StoreError: The store denied access or did not answer.
    """
    chosen = media_filter or MediaFilter()
    if isinstance(root, StorePath):
        yield from _stream_objects(root, media_filter=chosen, skipped=skipped, corpus=corpus)
        return
    if not root.is_dir():
        yield row_of_path(root, corpus=corpus)
        return
    base = os.path.abspath(root)  # noqa: PTH100 - as to_uri: links stay
    left_out = os.path.realpath(skipped) if isinstance(skipped, Path) else None
    for path in _walk(base, media_filter=chosen, left_out=left_out):
        row = row_of_path(Path(path), corpus=corpus)
        if chosen.takes(_relative(path, base), row):
            yield row


def _stream_objects(
    root: StorePath, *, media_filter: MediaFilter, skipped: Location | None, corpus: str
) -> Iterator[ManifestRow]:
    # A store has no folders, only names with slashes: all objects are listed.
    left_out = f"{skipped}/" if isinstance(skipped, StorePath) else None
    if not root.is_dir() and root.is_file():
        yield row_of_object(root, root.stat(), corpus=corpus)
    for row in iter_objects(root, corpus=corpus):
        if left_out is not None and row.uri.startswith(left_out):
            continue
        relative = row.uri.removeprefix(f"{root.uri}/")
        folders = itertools.accumulate(relative.split("/")[:-1], lambda a, b: f"{a}/{b}")
        if all(map(media_filter.takes_folder, folders)) and media_filter.takes(relative, row):
            yield row


def _relative(path: str, base: str) -> str:
    # Bytes that are not UTF-8 are escaped, so that matching does not fail.
    return os.fsencode(os.path.relpath(path, base)).decode("utf-8", "backslashreplace")


def _walk(base: str, *, media_filter: MediaFilter, left_out: str | None) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    stack, links = [base], list[str]()
    while stack or links:
        # Links are followed after all real folders.
        folder = stack.pop() if stack else links.pop(0)
        try:
            found = Path(folder).stat()
            key = (found.st_dev, found.st_ino)
            if key in seen or os.path.realpath(folder) == left_out or _holds_results(folder):
                continue
            seen.add(key)
            entries = os.scandir(folder)
        except OSError:
            yield folder
            continue
        with entries:
            for entry in _listed(entries, folder):
                if is_hidden(entry.name):
                    continue
                if not _is_walked(entry):
                    yield entry.path
                elif media_filter.takes_folder(_relative(entry.path, base)):
                    (links if entry.is_symlink() else stack).append(entry.path)


def _holds_results(folder: str) -> bool:
    return all(Path(folder, name).is_file() for name in _FILES_OF_RESULTS)


def _listed(entries: Iterator[os.DirEntry[str]], folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        yield from entries
    except OSError as error:
        # Otherwise files would be missing from the result silently.
        reason = error.strerror or str(error)
        raise CorpusError(
            f"the folder could not be listed completely ({reason})", path=folder
        ) from error


def _is_walked(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and Path(entry.name).suffix.lower() not in MEDIA_EXTENSIONS
    except OSError:  # a link to itself, or into a folder without access
        return False
