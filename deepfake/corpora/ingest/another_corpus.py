"""Reject another corpus under the name of one that is there."""

from __future__ import annotations

from deepfake.corpora.ingest.finish_manifest import read_previous_rows
from deepfake.corpora.layouts import scan_corpus
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot, Location, to_uri

__all__ = ["reject_another_corpus"]


def reject_another_corpus(root: DataRoot, corpus: str, place: Location, *, layout: str) -> None:
    """Reject a corpus none of whose files is in the corpus that has its name already.

    It would take the place of the other, and whatever is trained or measured by that name from
    then on would be of other files.

    Args:
        root: The data root.
        corpus: The name.
        place: Folder or CSV file of the corpus.
        layout: How it is laid out.

    Raises:
        ConfigError: The name is that of another corpus.
        CorpusError: The CSV file cannot be read.
    """
    known = {row.uri for row in read_previous_rows(root, corpus)}
    if not known:
        return
    if layout == "csv":
        is_same = any(row.uri in known for row in scan_corpus(place, corpus=corpus, layout=layout))
    else:
        below = f"{to_uri(place).rstrip('/')}/"
        is_same = any(uri.startswith(below) for uri in known)
    if not is_same:
        raise ConfigError(
            f"there is a corpus {corpus!r} already, of other files, such as {min(known)}",
            hint="Give another --corpus, or --replace to put this one in its place.",
        )
