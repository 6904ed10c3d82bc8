"""Check where media are, and where their scores go."""

from __future__ import annotations

from pathlib import Path

from deepfake.errors import ConfigError, CorpusError
from deepfake.storage import Location, to_uri

__all__ = ["check_places"]


def check_places(folder: Location, output: Location) -> None:
    """Reject media that are not there, and scores among them.

    Args:
        folder: The media.
        output: Where scores go.

    Raises:
        CorpusError: There is no such folder.
        ConfigError: The output is the folder of media.
    """
    # Of a store only its objects are there: an empty folder is none.
    if isinstance(folder, Path) and not folder.exists():
        raise CorpusError("no such folder", path=folder)
    if to_uri(folder) == to_uri(output):
        raise ConfigError("the scores cannot go among the media: name another folder", path=output)
