"""The layouts by name, and scanning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from deepfake.corpora.layouts.celebdf import scan_celebdf
from deepfake.corpora.layouts.csv import scan_csv
from deepfake.corpora.layouts.dfdc import scan_dfdc
from deepfake.corpora.layouts.faceforensics import scan_faceforensics
from deepfake.corpora.layouts.folder import scan_folder
from deepfake.corpora.layouts.walk import MEDIA_EXTENSIONS, describe_folder, iter_files, row_of
from deepfake.corpora.manifest import ManifestRow
from deepfake.errors import ConfigError, CorpusError
from deepfake.storage import Location, StorePath

__all__ = ["LAYOUTS", "Scanner", "scan_corpus", "scan_media"]


class Scanner(Protocol):
    """What knows one layout."""

    def __call__(self, root: Path, /, *, corpus: str) -> list[ManifestRow]:
        """Return a row for every file, or raise `CorpusError`."""
        ...


LAYOUTS: Mapping[str, Scanner] = MappingProxyType(
    {
        "folder": scan_folder,
        "faceforensics": scan_faceforensics,
        "dfdc": scan_dfdc,
        "celebdf": scan_celebdf,
        "csv": scan_csv,
    }
)
"""What `--layout` takes. The user names the layout: guessing it would guess the labels."""


def scan_corpus(folder_or_csv: Location, *, corpus: str, layout: str) -> list[ManifestRow]:
    """Return the rows of a corpus, one a file, sorted by uri.

    Files are looked at from outside (size, time of change), neither hashed nor decoded:
    `media_id` and `kind` are None.

    Args:
        folder_or_csv: Where the corpus lies; for the layout `folder` also in a store.
        corpus: What to call it; becomes part of file names.
        layout: One of `LAYOUTS`.

    Raises:
        ConfigError: No such layout, a corpus name that cannot be a file's, or a layout that is not
            read out of stores.
        CorpusError: Nothing there, another layout than the one named, or no file at all.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"expected a layout of {', '.join(LAYOUTS)}, got {layout!r}")
    _check_name(corpus)
    if isinstance(folder_or_csv, StorePath):
        return _sorted(_scan_store(folder_or_csv, corpus=corpus, layout=layout))
    if not folder_or_csv.exists():
        raise CorpusError("no such file or folder", path=folder_or_csv)
    return _sorted(LAYOUTS[layout](folder_or_csv, corpus=corpus))


def _scan_store(root: StorePath, *, corpus: str, layout: str) -> list[ManifestRow]:
    if layout != "folder":
        raise ConfigError(
            f"the layout {layout!r} is read from folders of this machine, not from {root}",
            hint="In a store the layout `folder` is read: {train,val,test}/{real,fake} in names.",
        )
    return scan_folder(root, corpus=corpus)


def scan_media(
    folder_or_files: Path | Iterable[Path], *, corpus: str = "media"
) -> list[ManifestRow]:
    """Return a row, without label, for every file to be scored, sorted by uri.

    Args:
        folder_or_files: A folder, whose files are all taken; a file; or any number of both. Of
            several names, a folder that is named like a medium is a row and not walked.
        corpus: What the rows say they belong to.

    Raises:
        CorpusError: A folder that is not there, or no file at all.
    """
    if isinstance(folder_or_files, Path):
        paths = iter_files(folder_or_files) if folder_or_files.is_dir() else [folder_or_files]
        found = "" if not folder_or_files.is_dir() else f"; {describe_folder(folder_or_files)}"
    else:
        named = list(folder_or_files)
        paths = _iter_named(named)
        found = "".join(f"; in {path} {describe_folder(path)}" for path in named if path.is_dir())
    rows = {row.uri: row for row in (row_of(path, corpus=corpus) for path in paths)}
    if not rows:
        name = folder_or_files if isinstance(folder_or_files, Path) else None
        raise CorpusError(f"no file to look at{found}", path=name)
    return _sorted(rows.values())


def _iter_named(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and path.suffix.lower() not in MEDIA_EXTENSIONS:
            yield from iter_files(path)
        else:
            yield path


def _check_name(corpus: str) -> None:
    is_usable = corpus.strip() == corpus != "" and not corpus.startswith(".")
    if not is_usable or not corpus.isprintable() or set(corpus) & set('/\\:*?"<>|'):
        raise ConfigError(f"expected a corpus name that can name a file, got {corpus!r}")


def _sorted(rows: Iterable[ManifestRow]) -> list[ManifestRow]:
    return sorted(rows, key=lambda row: row.uri)
