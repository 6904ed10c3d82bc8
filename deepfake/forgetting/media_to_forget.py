"""The media to forget, and the record of one removal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

__all__ = ["FORGOTTEN", "MediaToForget", "Removal"]

FORGOTTEN = "(forgotten)"
"""Replaces a name in a text."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that was removed, or would be in a dry run.

    Attributes:
        path: The file or folder.
        what: What was removed from it, for a person to read.
    """

    path: str
    what: str


@dataclass(frozen=True)
class MediaToForget:
    """All digests and names of the media to forget.

    Attributes:
        media_ids: Digests of their bytes.
        uris: All names that they are known to have had.
        groups: New name by old name, for groups of files that were named after these media.
    """

    media_ids: frozenset[str]
    uris: frozenset[str]
    groups: Mapping[str, str] = field(default_factory=dict)

    def includes(self, media_id: object, uri: object) -> bool:
        """Return whether a row with this `media_id` and `uri` is about one of these media.

        The `uri` decides only where there is no `media_id`: a name may have another content now.
        """
        if isinstance(media_id, str) and media_id:
            return media_id in self.media_ids
        return isinstance(uri, str) and uri in self.uris

    def is_mentioned_in(self, text: str) -> bool:
        """Return whether a text contains one of their digests or names."""
        return self._pattern.search(text) is not None

    def redact(self, text: str) -> tuple[str, int]:
        """Return a text with their digests and names replaced, and how many there were."""
        return self._pattern.subn(FORGOTTEN, text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        ids = [re.escape(media_id) for media_id in sorted(self.media_ids)]
        # A longer path that begins or ends alike is another file.
        uris = [rf"(?<![\w./-]){re.escape(u)}(?![\w/-]|\.\w)" for u in sorted(self.uris)]
        return re.compile("|".join([*ids, *uris]) or r"(?!)")
