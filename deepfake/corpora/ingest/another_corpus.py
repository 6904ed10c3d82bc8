"""Reject another corpus under the name of one that is there."""

from __future__ import annotations

from deepfake.config import Modality
from deepfake.corpora.ingest.finish_manifest import read_previous_rows
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.shards import open_snapshot
from deepfake.errors import ConfigError, DataError
from deepfake.storage import DataRoot, Location, to_uri

__all__ = ["reject_another_corpus"]


def reject_another_corpus(
    root: DataRoot, corpus: str, place: Location, *, layout: str, modality: Modality = "faces"
) -> None:
    """Reject a corpus none of whose files is in the corpus that has its name already.

    One that was ingested for another modality is another one too, since its labels may differ.

    It would take the place of the other, and whatever is trained or measured by that name from
    then on would be of other files.

    Args:
        root: The data root.
        corpus: The name.
        place: Folder or CSV file of the corpus.
        layout: How it is laid out.
        modality: What of its files is looked at.

    Raises:
        ConfigError: The name is that of another corpus.
        CorpusError: The CSV file cannot be read.
    """
    known = {row.uri for row in read_previous_rows(root, corpus)}
    if not known:
        return
    before = _modality_of_latest(root, corpus)
    if before not in (None, modality):
        raise ConfigError(
            f"the corpus {corpus!r} was ingested for {before}, not for {modality}",
            hint="Give another --corpus, or --replace to put this one in its place.",
        )
    if layout == "csv":
        is_same = any(
            row.uri in known
            for row in scan_corpus(place, corpus=corpus, layout=layout, modality=modality)
        )
    else:
        below = f"{to_uri(place).rstrip('/')}/"
        is_same = any(uri.startswith(below) for uri in known)
    if not is_same:
        raise ConfigError(
            f"there is a corpus {corpus!r} already, of other files, such as {min(known)}",
            hint="Give another --corpus, or --replace to put this one in its place.",
        )


def _modality_of_latest(root: DataRoot, corpus: str) -> str | None:
    try:
        return open_snapshot(root, corpus).kind
    except DataError:  # there is none yet, or it is damaged and will be replaced
        return None
