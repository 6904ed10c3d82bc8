"""Assign every file of a corpus its group and its split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deepfake.config import SplitConfig
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits.allocation import allocate_groups
from deepfake.corpora.splits.assignments import Assignments, StrategyName
from deepfake.corpora.splits.groups import Group, Refusals, connect_rows
from deepfake.corpora.splits.leakage import (
    SharedIdentity,
    check_leakage,
    check_lists,
    find_shared_identities,
)
from deepfake.corpora.splits.members import content_key, key_rank, member_keys
from deepfake.errors import ConfigError, DataError, SplitLeakageError
from deepfake.types import Label, Split, Status

__all__ = ["SplitResult", "assign_splits"]

_MIN_GROUPS = 3
"""With fewer groups than splits, val or test would be empty."""


_MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Rows with group and split, and notes about them.

    Attributes:
        rows: In the order given; those with status `error` have neither group nor split.
        assignments: To be stored for the next run.
        strategy: `official` or `grouped`.
        shared_identities: People in several official splits; none for `grouped`.
        quarantined: Those of `rows` that would have joined groups of two splits.
        notes: Sentences for people and for the model card.
    """

    rows: tuple[ManifestRow, ...]
    assignments: Assignments
    strategy: StrategyName
    shared_identities: tuple[SharedIdentity, ...]
    quarantined: tuple[ManifestRow, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Plan:
    """The assignments of one run while they are made."""

    config: SplitConfig
    kept: Assignments
    splits: dict[str, Split]
    members: dict[str, str]
    places: dict[str, tuple[str, Split]] = field(default_factory=dict)
    refusals: Refusals = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def connect(self, rows: Sequence[ManifestRow], *, known: Mapping[str, str]) -> list[Group]:
        groups, refusals = connect_rows(rows, known=known, splits=self.kept.splits)
        self.refusals.update(refusals)
        return groups

    def settle(self, group: Group, split: Split, *, prefix: str, keys: Iterable[str]) -> None:
        name = group.name or f"{prefix}/{min(group.keys, key=key_rank)}"
        self.splits[name] = split
        self.members.update(dict.fromkeys(keys, name))
        self.places.update({row.uri: (name, split) for row in group.rows})


def assign_splits(
    rows: Iterable[ManifestRow], *, config: SplitConfig, assignments: Assignments | None = None
) -> SplitResult:
    """Assign every file of one corpus a group and a split.

    Args:
        rows: Scanned and hashed; `split` and `group` are the corpus's own, or None.
        config: Strategy, fractions and seed.
        assignments: Assignments of an earlier run; none of its keys changes its split.

    Returns:
        All rows. The result does not depend on their order. With fewer than three groups, all
        are for training.

    Raises:
        SplitLeakageError: The corpus's own lists put one content, or one pair of target and
            source, into two splits.
        ConfigError: `assignments` was made by the other strategy, or official splits are requested
            and the corpus has none.
        DataError: The rows are of several corpora.
    """
    given = tuple(rows)
    if len({row.corpus for row in given}) > 1:
        raise DataError("splits are made for one corpus at a time")
    usable = [row for row in given if row.status is not Status.ERROR]
    usable.sort(key=lambda row: (member_keys(row), row.uri))
    strategy = _resolve_strategy(usable, config=config, assignments=assignments)
    assignments = assignments or Assignments(strategy)
    plan = _Plan(config, assignments, dict(assignments.splits), dict(assignments.members))
    (_plan_official if strategy == "official" else _plan_grouped)(plan, usable)
    placed = tuple(_placed(row, plan=plan) for row in given)
    check_leakage(placed, strategy=strategy)
    shared = tuple(find_shared_identities(placed))
    return SplitResult(
        rows=placed,
        assignments=Assignments(strategy, plan.splits, plan.members),
        strategy=strategy,
        shared_identities=shared,
        quarantined=tuple(row for row in placed if row.uri in plan.refusals),
        notes=(
            *plan.notes,
            *_iter_shared(shared),
            *_iter_remarks(placed, num_quarantined=len(plan.refusals)),
        ),
    )


def _resolve_strategy(
    rows: Sequence[ManifestRow], *, config: SplitConfig, assignments: Assignments | None
) -> StrategyName:
    has_lists = any(row.split is not None for row in rows)
    if config.strategy == "official" and not has_lists:
        raise ConfigError("official splits are requested, but the corpus has none")
    if config.strategy == "auto":
        # Lists that appear later must not move files that were trained on.
        return assignments.strategy if assignments else "official" if has_lists else "grouped"
    if assignments and assignments.strategy != config.strategy:
        raise ConfigError(
            f"{config.strategy} splits are requested, but {assignments.strategy} ones are stored",
            hint="Keep the strategy, use another corpus name, or delete the stored assignments.",
        )
    return config.strategy


def _plan_grouped(plan: _Plan, rows: Sequence[ManifestRow]) -> None:
    val, test = plan.config.val_fraction, plan.config.test_fraction
    fractions = {Split.TRAIN: 1 - val - test, Split.VAL: val, Split.TEST: test}
    groups = plan.connect(rows, known=plan.kept.members)
    _settle_all(plan, groups, held=(), fractions=fractions)


def _plan_official(plan: _Plan, rows: Sequence[ManifestRow]) -> None:
    listed = [row for row in rows if row.split is not None]
    check_lists(listed)
    is_val_ours = plan.config.val_fraction > 0 and all(r.split is not Split.VAL for r in listed)
    ours = {None, Split.TRAIN} if is_val_ours else {None}
    by_content = {content_key(row): row.split for row in listed if row.split not in ours}
    pool: list[ManifestRow] = []
    by_split: dict[Split, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        key = content_key(row)
        split, before = by_content.get(key, row.split), plan.kept.split_of(key)
        if split is None or split in ours:
            pool.append(row)
        elif before not in {None, split}:
            plan.refusals[row.uri] = {
                "the stored split": before or split,
                "the split listed now": split,
            }
        else:
            by_split[split].append(row)
    for split, part in by_split.items():
        _settle_listed(plan, part, split=split)
    if pool:
        _settle_pool(plan, pool, by_split=by_split)


def _settle_listed(plan: _Plan, rows: Sequence[ManifestRow], *, split: Split) -> None:
    # People may be in several official splits: groups are formed within each split, and only their
    # contents are stored as keys.
    contents = {content_key(row) for row in rows}
    known = {key: plan.kept.members[key] for key in contents if key in plan.kept.members}
    for group in plan.connect(rows, known=known):
        keys = {content_key(row) for row in group.rows}
        plan.settle(group, split, prefix=f"{rows[0].corpus}/{split}", keys=keys)


def _settle_pool(
    plan: _Plan, pool: Sequence[ManifestRow], *, by_split: Mapping[Split, Sequence[ManifestRow]]
) -> None:
    """Assign the files that the official lists do not cover to train and val."""
    share = plan.config.val_fraction / (1 - plan.config.test_fraction)
    learning = {split: by_split.get(split, ()) for split in (Split.TRAIN, Split.VAL)}
    owned = {split: {k for r in part for k in member_keys(r)} for split, part in learning.items()}
    groups = plan.connect(pool, known=plan.kept.members)
    for group in groups:
        # People listed for training cannot be in val; the listed splits come first.
        found = [split for split, keys in owned.items() if not keys.isdisjoint(group.keys)]
        group.split = group.split or (found[0] if found else None)
    held = [Group(list(part), split=split) for split, part in learning.items() if part]
    fractions = {Split.TRAIN: 1 - share, Split.VAL: share}
    is_carved = any(row.split is Split.TRAIN for row in pool)
    what = "the corpus names no val: its train" if is_carved else "what the lists do not name"
    plan.notes.append(f"{what} ({len(pool)} files) is split by {len(groups)} groups")
    _settle_all(plan, groups, held=held, fractions=fractions)


def _settle_all(
    plan: _Plan,
    groups: Sequence[Group],
    *,
    held: Sequence[Group],
    fractions: Mapping[Split, float],
) -> None:
    undecided = [group for group in groups if group.split is None]
    decided = [*held, *(group for group in groups if group.split is not None)]
    if undecided and len(undecided) + len(decided) < _MIN_GROUPS:
        plan.notes.append(f"too few groups to split ({len(groups)}): all are for training")
        fractions = {Split.TRAIN: 1.0}
    chosen = allocate_groups(undecided, decided=decided, fractions=fractions, seed=plan.config.seed)
    for group, split in [*chosen, *((group, group.split) for group in groups)]:
        if split is not None:
            plan.settle(group, split, prefix=group.rows[0].corpus, keys=group.keys)


def _placed(row: ManifestRow, *, plan: _Plan) -> ManifestRow:
    if row.uri in plan.places:
        group, split = plan.places[row.uri]
        return replace(row, group=group, split=split)
    row = replace(row, group=None, split=None)
    if row.uri not in plan.refusals:
        return row
    found = plan.refusals[row.uri].items()
    where = ", ".join(f"{key} is in {split}" for key, split in sorted(found))
    return replace(
        row,
        status=Status.ERROR,
        error_type=SplitLeakageError.__name__,
        message=f"would join groups of different splits: {where}",
    )


def _iter_shared(shared: Sequence[SharedIdentity]) -> Iterator[str]:
    if shared:
        names = ", ".join(s.identity for s in shared[:_MAX_NAMED])
        more = ", ..." if len(shared) > _MAX_NAMED else ""
        yield f"the official lists show {len(shared)} people in several splits: {names}{more}"


def _iter_remarks(rows: Sequence[ManifestRow], *, num_quarantined: int) -> Iterator[str]:
    if num_quarantined:
        yield f"{num_quarantined} files would have joined two splits and take no part"
    present = [r for r in rows if r.split is not None and r.status in {Status.OK, Status.NO_FACE}]
    for split in Split if present else ():
        labels = {row.label for row in present if row.split is split}
        if not labels:
            yield f"{split} has no file"
            continue
        for label in Label:
            if label not in labels and any(row.label is label for row in present):
                yield f"{split} has no {label} file"
