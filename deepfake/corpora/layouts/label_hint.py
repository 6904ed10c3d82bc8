"""Say how files get their labels where none has one. Nothing is guessed from a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from deepfake.corpora.manifest_row import ManifestRow

__all__ = ["label_hint"]

_MAX_NAMED = 6
_IN_NAMES = re.compile(r"(?<![a-z])(real|fake|original|manipulated|synthetic)(?![a-z])", re.I)


def label_hint(rows: Iterable[ManifestRow]) -> str | None:
    """Return how to name the labels of files of which none has one; None where one has.

    Folders whose names may be meant as labels are named, for a person to say which are which.

    Args:
        rows: All files of a corpus.
    """
    files = list(rows)
    if not files or any(row.label is not None for row in files):
        return None
    folders = Counter(row.uri.rpartition("/")[0].rpartition("/")[2] for row in files)
    meant = [name for name, _ in folders.most_common() if _IN_NAMES.search(name.replace("_", " "))]
    named = f" Folders are called {', '.join(meant[:_MAX_NAMED])}." if meant else ""
    return (
        f"none of the {len(files)} files has a label, so nothing can be learnt from them.{named} "
        "Name the folders `real` and `fake`, or list the files in a CSV with the columns uri and "
        "label, and name that with --layout csv."
    )
