"""Scan any folder: labels and splits come from folder names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from deepfake.corpora.layouts.walk import (
    SPLIT_NAMES,
    describe_folder,
    iter_files,
    iter_objects,
    row_of_path,
)
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.storage import Location, StorePath
from deepfake.types import Label

__all__ = ["scan_folder"]

_LABEL_NAMES = {str(label): label for label in Label}
_Value = TypeVar("_Value")


def scan_folder(root: Location, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every file below a folder.

    The label is that of the one folder named `real` or `fake`, in any case, on the way to the
    file, `root` included; a name that merely contains the word says nothing. Folders below
    `root` named `train`, `val` (`valid`, `validation`) and `test` give the corpus's own split;
    the name of `root` is ignored for that.

    Args:
        root: The folder, local or in a store.
        corpus: Name of the corpus.

    Raises:
        CorpusError: Not a folder, no file in it, or a path with two labels or splits.
    """
    if isinstance(root, StorePath):
        rows = [
            _labelled(row, below=row.uri.removeprefix(f"{root.uri}/"), own_name=root.name)
            for row in iter_objects(root, corpus=corpus)
        ]
    elif not root.is_dir():
        raise CorpusError("the layout `folder` expects a folder", path=root)
    else:
        rows = [
            _labelled(
                row_of_path(path, corpus=corpus),
                below=path.relative_to(root).as_posix(),
                own_name=root.absolute().name,
            )
            for path in iter_files(root)
        ]
    if not rows:
        raise CorpusError(f"no file in the folder; {describe_folder(root)}", path=root)
    return rows


def _labelled(row: ManifestRow, *, below: str, own_name: str) -> ManifestRow:
    folders = tuple(below.split("/")[:-1])
    return replace(
        row,
        label=_only_value((own_name, *folders), names=_LABEL_NAMES, uri=row.uri),
        split=_only_value(folders, names=SPLIT_NAMES, uri=row.uri),
    )


def _only_value(parts: tuple[str, ...], *, names: Mapping[str, _Value], uri: str) -> _Value | None:
    found = [names[part.lower()] for part in parts if part.lower() in names]
    if len(set(found)) > 1:
        raise CorpusError(
            f"the path contains both {' and '.join(map(str, found))}",
            path=uri,
            hint="Scan the folders one by one, or write a CSV of labels and use the layout `csv`.",
        )
    return found[0] if found else None
