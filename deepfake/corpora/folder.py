"""Any folder: labels and splits from the names of the folders themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from deepfake.corpora.walking import SPLIT_NAMES, describe_folder, iter_files, row_of
from deepfake.errors import CorpusError
from deepfake.manifest import ManifestRow
from deepfake.types import Label

__all__ = ["scan_folder"]

_LABEL_NAMES = {str(label): label for label in Label}
_Value = TypeVar("_Value")


def scan_folder(root: Path, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every file below a folder.

    The label is that of the one folder named `real` or `fake`, in any case, on the way to the
    file, `root` included; a name that merely contains the word says nothing. Folders below
    `root` named `train`, `val` (`valid`, `validation`) and `test` give the corpus's own split;
    the name of `root` does not, since it is often chance.

    Args:
        root: The folder.
        corpus: Name of the corpus.

    Raises:
        CorpusError: Not a folder, no file in it, or a path that carries two labels or splits.
    """
    if not root.is_dir():
        raise CorpusError("the layout `folder` expects a folder", path=root)
    rows = [_labelled(path, root=root, corpus=corpus) for path in iter_files(root)]
    if not rows:
        raise CorpusError(f"no file in the folder; {describe_folder(root)}", path=root)
    return rows


def _labelled(path: Path, *, root: Path, corpus: str) -> ManifestRow:
    below = path.relative_to(root).parts[:-1]
    own_name = root.absolute().name
    return replace(
        row_of(path, corpus=corpus),
        label=_only_value((own_name, *below), names=_LABEL_NAMES, path=path),
        split=_only_value(below, names=SPLIT_NAMES, path=path),
    )


def _only_value(
    parts: tuple[str, ...], *, names: Mapping[str, _Value], path: Path
) -> _Value | None:
    found = [names[part.lower()] for part in parts if part.lower() in names]
    if len(set(found)) > 1:
        raise CorpusError(
            f"the path says {' and '.join(map(str, found))} at once",
            path=path,
            hint="Scan the folders one by one, or write a CSV of labels and use the layout `csv`.",
        )
    return found[0] if found else None
