"""Group files that share member keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits.members import member_keys
from deepfake.types import Split, Status

__all__ = ["Group", "Refusals", "Stratum", "connect_rows"]

Stratum = tuple[str | None, ...]
Refusals = dict[str, Mapping[str, Split]]
"""By uri, the member keys of a file that are in different splits."""

_LEARNABLE = frozenset({Status.OK, Status.NO_FACE})


@dataclass(slots=True)
class Group:
    """Files that must stay in one split.

    Attributes:
        rows: The files.
        keys: All their member keys, and stored ones of files that were removed.
        name: The stored name of any of the keys; None for a new group.
        split: The stored split of any of the keys; None for a new group.
    """

    rows: list[ManifestRow] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    name: str | None = None
    split: Split | None = None

    def strata(self) -> Counter[Stratum]:
        """Count the files that can be learned from, by label and by label and method."""
        counts: Counter[Stratum] = Counter()
        for row in self.rows:
            if row.status in _LEARNABLE:
                counts.update([(row.label,), (row.label, row.method)])
        return counts


def connect_rows(
    rows: Sequence[ManifestRow], *, known: Mapping[str, str], splits: Mapping[str, Split]
) -> tuple[list[Group], Refusals]:
    """Return the connected components of rows.

    Args:
        rows: In an order that depends on their keys alone.
        known: The stored group of each key.
        splits: The split of each stored group.

    Returns:
        The groups that hold any of `rows`, and the rows left out because they would have joined
        groups of two splits.
    """
    group_of: dict[str, Group] = {}
    by_name: dict[str, Group] = {}
    refusals: Refusals = {}
    for key, name in known.items():
        group = by_name.setdefault(name, Group(name=name, split=splits[name]))
        group.keys.add(key)
        group_of[key] = group
    for row in rows:
        keys = member_keys(row)
        touched = {key: group_of[key] for key in keys if key in group_of}
        found = {key: group.split for key, group in touched.items() if group.split is not None}
        if len(set(found.values())) > 1:
            refusals[row.uri] = found
            continue
        group = _merge(list(touched.values()), group_of)
        group.rows.append(row)
        group.keys.update(keys)
        group_of.update(dict.fromkeys(keys, group))
    distinct = {id(group): group for group in group_of.values() if group.rows}
    return list(distinct.values()), refusals


def _merge(groups: Sequence[Group], group_of: dict[str, Group]) -> Group:
    """Merge groups into the largest one, so that a key moves at most log2(n) times."""
    if not groups:
        return Group()
    largest = max(groups, key=lambda group: len(group.keys))
    for group in {id(g): g for g in groups if g is not largest}.values():
        largest.rows += group.rows
        largest.keys |= group.keys
        largest.split = largest.split or group.split
        largest.name = min(filter(None, (largest.name, group.name)), default=None)
        group_of.update(dict.fromkeys(group.keys, largest))
    return largest
