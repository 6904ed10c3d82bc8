"""Member keys: what links files of one corpus to each other."""

from __future__ import annotations

from deepfake.corpora.manifest_row import ManifestRow

__all__ = ["content_key", "key_rank", "member_keys"]

_KINDS = ("group", "identity", "media", "file")  # from the most to the least specific


def member_keys(row: ManifestRow) -> tuple[str, ...]:
    """Return the explicit group, the people and the content of a file, in this order.

    Identity, target and source share one namespace: a person who is a target in one file and a
    source in another links the two files.

    Example:
        >>> member_keys(ManifestRow("/a/000_003.mp4", "c", target_id="000", source_id="003"))
        ('identity:000', 'identity:003', 'file:/a/000_003.mp4')
    """
    people = {person for person in (row.identity, row.target_id, row.source_id) if person}
    keys = [f"group:{row.group}"] if row.group else []
    keys += [f"identity:{person}" for person in sorted(people)]
    return (*keys, content_key(row))


def content_key(row: ManifestRow) -> str:
    """Return the key of a file's content, or of its uri if it is empty or unreadable."""
    has_content = row.media_id is not None and row.size_bytes != 0
    return f"media:{row.media_id}" if has_content else f"file:{row.uri}"


def key_rank(key: str) -> tuple[int, str]:
    """Return the sort key by which a group chooses the member key it is named after."""
    return _KINDS.index(key.partition(":")[0]), key
