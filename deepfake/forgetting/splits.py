"""Remove media from the split assignments of a corpus, and rename groups named after them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from deepfake.corpora.ingest import read_previous_rows
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import (
    Assignments,
    content_key,
    key_rank,
    member_keys,
    read_assignments,
    write_assignments,
)
from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.storage import DataRoot

__all__ = ["SplitPlan", "plan_splits", "remove_from_splits"]


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What changes in the split assignments of a corpus.

    Attributes:
        keys: Member keys to remove: those that no other medium has.
        groups: New name by old name, for groups that are named after the media and have other
            members.
    """

    keys: frozenset[str] = frozenset()
    groups: Mapping[str, str] = field(default_factory=dict)


def plan_splits(root: DataRoot, corpus: str, media: MediaToForget) -> SplitPlan:
    """Return what changes; must run while the manifest still has the rows of the media.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        media: The media to forget, with the groups of other corpora that are renamed already.
    """
    rows = read_previous_rows(root, corpus)
    forgotten = [row for row in rows if media.includes(row.media_id, row.uri)]
    left = [row for row in rows if not media.includes(row.media_id, row.uri)]
    assignments = _read_assignments(root, corpus)
    own = {key for row in forgotten for key in _own_keys(row)}
    unshared = own - {key for row in left for key in _own_keys(row)}
    named = {key for key in assignments.members if _is_named_after(_renamed(key, media), media)}
    return SplitPlan(
        frozenset((unshared & set(assignments.members)) | named),
        dict(_new_names(corpus, assignments, left, unshared | named, media)),
    )


def _own_keys(row: ManifestRow) -> tuple[str, ...]:
    # The group in a manifest is the name that this program gave, not one from the corpus.
    return member_keys(replace(row, group=None))


def _read_assignments(root: DataRoot, corpus: str) -> Assignments:
    path = root.splits / f"{corpus}.json"
    return read_assignments(path) if path.is_file() else Assignments("grouped")


def _is_named_after(key: str, media: MediaToForget) -> bool:
    return any(media_id in key for media_id in media.media_ids) or any(
        key.endswith(f"file:{uri}") for uri in media.uris
    )


def _renamed(key: str, media: MediaToForget) -> str:
    """Return a key in which the group of another corpus has its new name."""
    kind, _, name = key.partition(":")
    return f"group:{media.groups[name]}" if kind == "group" and name in media.groups else key


def _new_names(
    corpus: str,
    assignments: Assignments,
    left: list[ManifestRow],
    removed: set[str],
    media: MediaToForget,
) -> Iterator[tuple[str, str]]:
    """Yield old and new name of each group that is named after the media and has other members."""
    members: dict[str, set[str]] = {}
    for key, name in assignments.members.items():
        if key not in removed:
            members.setdefault(name, set()).add(_renamed(key, media))
    for row in left:
        if row.group is not None:
            members.setdefault(row.group, set()).add(content_key(row))
    for name, keys in sorted(members.items()):
        if _is_named_after(name, media):
            yield name, f"{corpus}/{min(keys, key=key_rank)}"


def remove_from_splits(
    root: DataRoot,
    corpus: str,
    plan: SplitPlan,
    media: MediaToForget,
    *,
    is_dry_run: bool = False,
) -> Iterator[Removal]:
    """Remove keys from the split assignments of a corpus, and groups that have no other key.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        plan: From `plan_splits`.
        media: The media to forget, with all groups that are renamed.
        is_dry_run: Only say what would be removed.
    """
    path = root.splits / f"{corpus}.json"
    if not path.is_file():
        return
    old = read_assignments(path)
    members = {
        _renamed(key, media): media.groups.get(name, name)
        for key, name in old.members.items()
        if key not in plan.keys
    }
    had_members, has_members = set(old.members.values()), set(members.values())
    splits = {
        media.groups.get(name, name): split
        for name, split in old.splits.items()
        if name not in had_members or media.groups.get(name, name) in has_members
    }
    if (members, splits) == (dict(old.members), dict(old.splits)):
        return
    yield Removal(str(path), f"keys of groups: {len(old.members) - len(members) or 'renamed'}")
    if not is_dry_run:
        write_assignments(path, replace(old, members=members, splits=splits))
