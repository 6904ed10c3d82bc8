"""Kept split assignments without the keys of media, and groups that are not named after them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from deepfake.corpora.ingest import read_previous_rows
from deepfake.corpora.manifest import ManifestRow
from deepfake.corpora.splits import (
    Assignments,
    content_key,
    key_rank,
    member_keys,
    read_assignments,
    write_assignments,
)
from deepfake.forgetting.scrub import Subject, Trace
from deepfake.storage import DataRoot

__all__ = ["SplitPlan", "forget_in_splits", "plan_splits"]


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What of the assignments of a corpus goes.

    Attributes:
        keys: Member keys that are carried by the media alone.
        groups: New names of groups that are named after them, and go on without them.
    """

    keys: frozenset[str] = frozenset()
    groups: Mapping[str, str] = field(default_factory=dict)


def plan_splits(root: DataRoot, corpus: str, subject: Subject) -> SplitPlan:
    """Return what goes; to be found out while the manifest still has their rows.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        subject: The media, with the groups of other corpora that are renamed already.
    """
    rows = read_previous_rows(root, corpus)
    theirs = [row for row in rows if subject.is_named_by(row.media_id, row.uri)]
    left = [row for row in rows if not subject.is_named_by(row.media_id, row.uri)]
    kept = _kept(root, corpus)
    own = {key for row in theirs for key in _people_and_content(row)}
    carried = {key for row in left for key in _people_and_content(row)}
    named = {key for key in kept.members if _is_named_after(_renamed(key, subject), subject)}
    return SplitPlan(
        frozenset((own - carried) & set(kept.members) | named),
        dict(_new_names(corpus, kept, left, own - carried | named, subject)),
    )


def _people_and_content(row: ManifestRow) -> tuple[str, ...]:
    # A manifest's group is the name that we gave, not the one that a corpus gave.
    return member_keys(replace(row, group=None))


def _kept(root: DataRoot, corpus: str) -> Assignments:
    path = root.splits / f"{corpus}.json"
    return read_assignments(path) if path.is_file() else Assignments("grouped")


def _is_named_after(key: str, subject: Subject) -> bool:
    return any(media_id in key for media_id in subject.media_ids) or any(
        key.endswith(f"file:{uri}") for uri in subject.uris
    )


def _renamed(key: str, subject: Subject) -> str:
    """Return a key in which the group of another corpus has its new name."""
    kind, _, name = key.partition(":")
    return f"group:{subject.groups[name]}" if kind == "group" and name in subject.groups else key


def _new_names(
    corpus: str, kept: Assignments, left: list[ManifestRow], gone: set[str], subject: Subject
) -> Iterator[tuple[str, str]]:
    members: dict[str, set[str]] = {}
    for key, name in kept.members.items():
        if key not in gone:
            members.setdefault(name, set()).add(_renamed(key, subject))
    for row in left:
        if row.group is not None:
            members.setdefault(row.group, set()).add(content_key(row))
    for name, keys in sorted(members.items()):
        if _is_named_after(name, subject):
            yield name, f"{corpus}/{min(keys, key=key_rank)}"


def forget_in_splits(
    root: DataRoot, corpus: str, plan: SplitPlan, subject: Subject, *, is_dry_run: bool = False
) -> Iterator[Trace]:
    """Remove keys from the assignments of a corpus, and groups that have no other.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        plan: From `plan_splits`.
        subject: The media, with all groups that are renamed.
        is_dry_run: Only say what would be removed.
    """
    path = root.splits / f"{corpus}.json"
    if not path.is_file():
        return
    kept = read_assignments(path)
    members = {
        _renamed(key, subject): subject.groups.get(name, name)
        for key, name in kept.members.items()
        if key not in plan.keys
    }
    had = set(kept.members.values())
    used = set(members.values())
    splits = {
        subject.groups.get(name, name): split
        for name, split in kept.splits.items()
        if name not in had or subject.groups.get(name, name) in used
    }
    if (members, splits) == (dict(kept.members), dict(kept.splits)):
        return
    yield Trace(str(path), f"keys of groups: {len(kept.members) - len(members) or 'renamed'}")
    if not is_dry_run:
        write_assignments(path, replace(kept, members=members, splits=splits))
