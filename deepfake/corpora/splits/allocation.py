"""Allocate new groups to splits, close to the wanted fractions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from deepfake.corpora.splits.groups import Group, Stratum
from deepfake.types import Split

__all__ = ["allocate_groups"]

_Counts = Counter[Stratum]


def allocate_groups(
    groups: Sequence[Group],
    *,
    decided: Sequence[Group],
    fractions: Mapping[Split, float],
    seed: int,
) -> list[tuple[Group, Split]]:
    """Choose a split for each group, so that every stratum comes close to the fractions.

    The largest groups are allocated first, equal ones in an order drawn from the seed and their
    keys. Each goes to the split that adds least to the sum over strata of (have - want)^2 / want.
    No split stays empty while train has groups to spare.

    Args:
        groups: Groups without a split.
        decided: Groups with a split, which count and stay.
        fractions: Wanted share of files of each split; they add up to 1.
        seed: Random seed of the order.
    """
    wanted = [split for split, fraction in fractions.items() if fraction > 0]
    queue = [(group.strata(), _draw(group, seed=seed), group) for group in groups]
    queue.sort(key=lambda entry: (-entry[0].total(), entry[1]))
    have: dict[Split, _Counts] = {split: Counter() for split in wanted}
    for group in decided:
        if group.split in have:
            have[group.split].update(group.strata())
    total: _Counts = Counter()
    for counts in (*have.values(), *(strata for strata, _, _ in queue)):
        total.update(counts)
    chosen: list[tuple[Group, Split]] = []
    for strata, draw, group in queue:
        costs = {s: _cost(strata, have=have[s], total=total, share=fractions[s]) for s in wanted}
        split = min(wanted, key=costs.__getitem__) if strata else _drawn(draw, fractions)
        have[split].update(strata)
        chosen.append((group, split))
    return _fill_empty(chosen, empty=[s for s in wanted if not have[s]], decided=decided)


def _draw(group: Group, *, seed: int) -> float:
    """Return a number in 0..1 that depends on the seed and the group's keys alone."""
    digest = hashlib.sha256(f"{seed}:{min(group.keys)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _drawn(draw: float, fractions: Mapping[Split, float]) -> Split:
    # A group whose files are all missing has no weight: it is drawn at random, so that the
    # fractions hold if the files appear later.
    for split, fraction in fractions.items():
        draw -= fraction
        if draw < 0:
            return split
    return Split.TRAIN


def _cost(strata: _Counts, *, have: _Counts, total: _Counts, share: float) -> float:
    """Return how much a group adds to the sum of (have - want)^2 / want."""
    return sum(
        count * (count - 2 * (share * total[stratum] - have[stratum])) / (share * total[stratum])
        for stratum, count in strata.items()
    )


def _fill_empty(
    chosen: Sequence[tuple[Group, Split]], *, empty: Sequence[Split], decided: Sequence[Group]
) -> list[tuple[Group, Split]]:
    """Give each empty split the smallest group that train can spare."""
    filled = list(chosen)
    has_kept_train = any(group.split is Split.TRAIN for group in decided)
    for split in empty:
        spare = [i for i, (g, s) in enumerate(filled) if s is Split.TRAIN and g.strata()]
        if len(spare) + has_kept_train > 1:
            filled[spare[-1]] = (filled[spare[-1]][0], split)
    return filled
