"""Scan a corpus by the name of its layout, or unlabelled media."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from deepfake.config import Modality
from deepfake.corpora.layouts.asvspoof import scan_asvspoof
from deepfake.corpora.layouts.celebdf import scan_celebdf
from deepfake.corpora.layouts.csv import scan_csv
from deepfake.corpora.layouts.dfdc import scan_dfdc
from deepfake.corpora.layouts.faceforensics import scan_faceforensics
from deepfake.corpora.layouts.fakeavceleb import scan_fakeavceleb
from deepfake.corpora.layouts.folder import scan_folder
from deepfake.corpora.layouts.lavdf import scan_lavdf
from deepfake.corpora.layouts.recognise import recognise_layout
from deepfake.corpora.layouts.walk import MEDIA_EXTENSIONS, describe_folder, iter_files, row_of_path
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import ConfigError, CorpusError
from deepfake.storage import Location, StorePath
from deepfake.types import Status

__all__ = ["LAYOUTS", "Scanner", "check_modality", "scan_corpus", "scan_media"]


class Scanner(Protocol):
    """A function that scans one layout."""

    def __call__(self, root: Path, /, *, corpus: str) -> list[ManifestRow]:
        """Return a row for every file, or raise `CorpusError`."""
        ...


LAYOUTS: Mapping[str, Scanner] = MappingProxyType(
    {
        "folder": scan_folder,
        "faceforensics": scan_faceforensics,
        "dfdc": scan_dfdc,
        "celebdf": scan_celebdf,
        "fakeavceleb": scan_fakeavceleb,
        "lavdf": scan_lavdf,
        "asvspoof": scan_asvspoof,
        "csv": scan_csv,
    }
)
"""Values of `--layout`. One that is recognised is offered and never taken: that would be guessing
labels."""

_UNLABELLED: Mapping[tuple[str, Modality], str] = MappingProxyType(
    {
        ("faceforensics", "voice"): "FaceForensics++ labels its pictures only, not its sound",
        ("celebdf", "voice"): "Celeb-DF labels its pictures only, not its sound",
        ("dfdc", "voice"): "DFDC labels a file as a whole: a fake may have a real voice",
        ("asvspoof", "faces"): "a corpus of speech: ingest it with --modality voice",
        ("faceforensics", "sync"): "FaceForensics++ labels its pictures only, not its sound",
        ("celebdf", "sync"): "Celeb-DF labels its pictures only, not its sound",
        ("dfdc", "sync"): "DFDC labels a file as a whole: a fake may keep its own lips and sound",
        ("asvspoof", "sync"): "a corpus of speech, without pictures",
    }
)
"""Layouts that do not label what is to be looked at, with the reason."""


_BY_MODALITY: Mapping[str, Callable[..., list[ManifestRow]]] = MappingProxyType(
    {"fakeavceleb": scan_fakeavceleb, "lavdf": scan_lavdf}
)
"""Layouts that have labels of their own for each modality."""


def check_modality(modality: Modality, *, layout: str) -> None:
    """Reject a layout whose labels are not of what is to be looked at.

    Args:
        modality: What is to be looked at.
        layout: One of `LAYOUTS`.

    Raises:
        ConfigError: The corpus does not label it.
    """
    if reason := _UNLABELLED.get((layout, modality)):
        raise ConfigError(f"no labels for the modality {modality!r} here: {reason}")


def scan_corpus(
    folder_or_csv: Location, *, corpus: str, layout: str, modality: Modality = "faces"
) -> list[ManifestRow]:
    """Scan a corpus: return a row a file, sorted by uri.

    Only size and time of change are read; files are neither hashed nor decoded, so
    `media_id` and `kind` are None.

    Args:
        folder_or_csv: The corpus; for the layout `folder` also in a store.
        corpus: Name of the corpus; becomes part of file names.
        layout: One of `LAYOUTS`.
        modality: What the labels are to be of. Those of `folder` and `csv` are taken to be of it.

    Raises:
        ConfigError: The layout is unknown or not supported in stores, or the corpus name cannot be
            part of a file name; the corpus does not label that modality; or `folder` finds no label
            in what looks like another layout.
        CorpusError: The folder is missing, empty, or has another layout.
    """
    scanner = _scanner_of(layout, modality=modality)
    _check_name(corpus)
    if isinstance(folder_or_csv, StorePath):
        return _sorted(_scan_store(folder_or_csv, corpus=corpus, layout=layout))
    if not folder_or_csv.exists():
        raise CorpusError("no such file or folder", path=folder_or_csv)
    if layout == "folder" and folder_or_csv.is_file():
        _reject_recognised(folder_or_csv)
    rows = scanner(folder_or_csv, corpus=corpus)
    if layout == "folder" and all(row.label is None for row in rows):
        _reject_recognised(folder_or_csv)
    _reject_absent(rows, place=folder_or_csv)
    return _sorted(rows)


def _scanner_of(layout: str, *, modality: Modality) -> Scanner:
    if layout not in LAYOUTS:
        raise ConfigError(f"expected a layout of {', '.join(LAYOUTS)}, got {layout!r}")
    check_modality(modality, layout=layout)
    # `folder` and `csv` have one label a file, of whatever is looked at.
    by_modality = _BY_MODALITY.get(layout)
    return LAYOUTS[layout] if by_modality is None else partial(by_modality, modality=modality)


def _reject_absent(rows: list[ManifestRow], *, place: Path) -> None:
    """Reject a list none of whose files exist."""
    if not rows or any(row.status is not Status.MISSING for row in rows):
        return
    is_windows = any("\\" in row.uri for row in rows)
    raise CorpusError(
        f"none of the {len(rows)} files that it names is there, the first is {rows[0].uri}",
        path=place,
        hint="Its paths have backslashes, as Windows writes them: write slashes."
        if is_windows
        else "Paths that are not absolute begin at the folder of the list.",
    )


def _reject_recognised(place: Path) -> None:
    found = recognise_layout(place)
    if found is not None:
        raise ConfigError(
            "the layout `folder` finds no label here: no folder is named real or fake",
            path=place,
            hint=f"It looks like a corpus for --layout {found}: name that.",
        )


def _scan_store(root: StorePath, *, corpus: str, layout: str) -> list[ManifestRow]:
    if layout != "folder":
        raise ConfigError(
            f"the layout {layout!r} is read from local folders only, got {root}",
            hint="In a store the layout `folder` is supported: {train,val,test}/{real,fake}/...",
        )
    return scan_folder(root, corpus=corpus)


def scan_media(
    folder_or_files: Path | Iterable[Path], *, corpus: str = "media"
) -> list[ManifestRow]:
    """Scan media to be scored: return an unlabelled row a file, sorted by uri.

    Args:
        folder_or_files: A folder, a file, or any number of both. In a list, a folder named like
            a medium is a row and is not walked.
        corpus: Corpus name for the rows.

    Raises:
        CorpusError: There is no file.
    """
    if isinstance(folder_or_files, Path):
        paths = iter_files(folder_or_files) if folder_or_files.is_dir() else [folder_or_files]
        found = "" if not folder_or_files.is_dir() else f"; {describe_folder(folder_or_files)}"
    else:
        named = list(folder_or_files)
        paths = _iter_named(named)
        found = "".join(f"; in {path} {describe_folder(path)}" for path in named if path.is_dir())
    rows = {row.uri: row for row in (row_of_path(path, corpus=corpus) for path in paths)}
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
