"""Check for leaks: media, groups or people that are in more than one split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits.assignments import StrategyName
from deepfake.corpora.splits.members import content_key, member_keys
from deepfake.errors import SplitLeakageError
from deepfake.types import Split

__all__ = ["SharedIdentity", "check_leakage", "check_lists", "find_shared_identities"]


@dataclass(frozen=True, slots=True)
class SharedIdentity:
    """A person in more than one split.

    Attributes:
        identity: The corpus's own name for them.
        splits: The splits, in the order train, val, test.
        num_files: How many files show them.
    """

    identity: str
    splits: tuple[Split, ...]
    num_files: int


def check_leakage(rows: Iterable[ManifestRow], *, strategy: StrategyName = "grouped") -> None:
    """Check that no content, group or pair of people is in two splits.

    Args:
        rows: Rows with splits; those without one are ignored.
        strategy: For `grouped` no member key may be shared; for `official` no content.

    Raises:
        SplitLeakageError: Names two files in different splits and what they share.
    """
    _reject_clashes(rows, keys_of=member_keys if strategy == "grouped" else _content_keys)


def check_lists(rows: Iterable[ManifestRow]) -> None:
    """Check the lists of a corpus: content, explicit groups, and pairs of target and source.

    Raises:
        SplitLeakageError: Names two files in different splits and what they share.
    """
    _reject_clashes(rows, keys_of=_listed_keys)


def find_shared_identities(rows: Iterable[ManifestRow]) -> list[SharedIdentity]:
    """Return the people who are in more than one split, as identity, target or source."""
    splits: dict[str, list[Split]] = defaultdict(list)
    for row in rows:
        if row.split is not None:
            for person in {row.identity, row.target_id, row.source_id} - {None, ""}:
                splits[str(person)].append(row.split)
    return [
        SharedIdentity(
            identity=person,
            splits=tuple(split for split in Split if split in found),
            num_files=len(found),
        )
        for person, found in sorted(splits.items())
        if len(set(found)) > 1
    ]


def _content_keys(row: ManifestRow) -> tuple[str, ...]:
    return (content_key(row),)


def _listed_keys(row: ManifestRow) -> tuple[str, ...]:
    keys = [content_key(row)]
    if row.group:
        keys.append(f"group:{row.group}")
    if row.target_id and row.source_id:
        # `000_003` and `003_000` are one pair: each face was put into the other's video.
        keys.append(f"the pair {' and '.join(sorted((row.target_id, row.source_id)))}")
    return tuple(keys)


def _reject_clashes(
    rows: Iterable[ManifestRow], *, keys_of: Callable[[ManifestRow], tuple[str, ...]]
) -> None:
    first: dict[str, ManifestRow] = {}
    for row in rows:
        for key in keys_of(row) if row.split is not None else ():
            other = first.setdefault(key, row)
            if other.split is not row.split:
                raise SplitLeakageError(
                    f"{key} is in {other.split} ({other.uri}) and in {row.split} ({row.uri})",
                    hint="Correct the corpus's lists, or use the strategy `grouped`.",
                )
