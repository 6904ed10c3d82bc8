"""What a state would have the tables say, file by file."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.scoring.state.state import ScoringState

__all__ = ["KnownFile", "known_files"]


@dataclass(frozen=True)
class KnownFile:
    """A file with an outcome; `part` is None where it was refused."""

    row: ManifestRow
    part: str | None


def known_files(state: ScoringState) -> list[KnownFile]:
    """Return the files of the folder that have an outcome, sorted by uri."""
    refused = [KnownFile(row, None) for row in state.finished.refused_files()]
    scored = [
        KnownFile(ManifestRow(uri, "media", media_id=media_id), part)
        for rows in state.finished.named_contents(size=1000)
        for uri, media_id, part in rows
    ]
    assert {file.part for file in scored} == set(state.finished.used_parts())
    return sorted([*refused, *scored], key=lambda file: file.row.uri)
