"""Find files with the same content and different labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import ManifestError
from deepfake.types import Label, Status

__all__ = ["check_contradictions"]


def check_contradictions(rows: Iterable[ManifestRow]) -> list[ManifestRow]:
    """Mark rows whose content also occurs with the other label as errors.

    Several files with the same content and label are allowed. Empty files are ignored.

    Args:
        rows: Hashed rows: `media_id` is set if the file could be read.

    Returns:
        The rows in their order; a contradicting row has status `error` and names the other file.
    """
    rows = list(rows)
    names: dict[str, dict[Label, str]] = defaultdict(dict)
    for row in rows:
        if _takes_part(row) and row.media_id is not None and row.label is not None:
            first = names[row.media_id].get(row.label, row.uri)
            names[row.media_id][row.label] = min(first, row.uri)
    return [_checked(row, names=names.get(row.media_id or "", {})) for row in rows]


def _takes_part(row: ManifestRow) -> bool:
    return row.status in {Status.OK, Status.NO_FACE} and row.size_bytes != 0


def _checked(row: ManifestRow, *, names: dict[Label, str]) -> ManifestRow:
    others = [label for label in names if label is not row.label]
    if row.label is None or not others or not _takes_part(row):
        return row
    return replace(
        row,
        status=Status.ERROR,
        error_type=ManifestError.__name__,
        message=f"labelled {row.label}, but the same content is labelled {others[0]} as "
        f"{names[others[0]]}",
    )
