"""Reject training on held-out media."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from deepfake.corpora.held_out.sets import HeldOutSet, list_held_out_sets
from deepfake.corpora.shards import Snapshot
from deepfake.errors import SplitLeakageError
from deepfake.storage import DataRoot
from deepfake.types import Split

__all__ = ["held_out_sets_in", "reject_held_out_media"]

_TRAINED_ON = (str(Split.TRAIN), str(Split.VAL))
_MAX_NAMED = 5
_CLIP_OF_GROUP = r"(?:^|/)group:(.+)$"
_CLIP_OF_MEDIUM = r"media:([0-9a-f]{64})"


def reject_held_out_media(snapshots: Sequence[Snapshot]) -> None:
    """Check that no held-out media are in `train` or `val` of snapshots.

    The held-out sets are those of each snapshot's data root. Their media and groups are refused
    under every name, and so are clips made from them and files that now share a group with them.

    Args:
        snapshots: What is about to be trained or calibrated on.

    Raises:
        SplitLeakageError: Names the held-out set, and groups of it.
    """
    for snapshot in snapshots:
        held_out_sets = list_held_out_sets(DataRoot(snapshot.corpus_dir.parent.parent))
        if not held_out_sets:
            continue
        files = snapshot.index()[["uri", "media_id", "group", "split"]].drop_duplicates()
        for held_out in held_out_sets:
            _reject(held_out, files, corpus=snapshot.corpus)


def held_out_sets_in(root: DataRoot, files: pd.DataFrame) -> list[HeldOutSet]:
    """Return the held-out sets of a data root that any of some files belong to.

    Args:
        root: The data root.
        files: A row a file, with a `media_id`.
    """
    found = set(files["media_id"].dropna())
    return [s for s in list_held_out_sets(root) if not found.isdisjoint(s.media_ids)]


def _reject(held_out: HeldOutSet, files: pd.DataFrame, *, corpus: str) -> None:
    names = files["group"].astype("string")
    is_reserved = files["media_id"].isin(held_out.media_ids)
    groups = {*held_out.groups, *names[is_reserved].dropna()}
    is_reserved |= names.isin(groups)
    is_reserved |= names.str.extract(_CLIP_OF_GROUP, expand=False).isin(groups)
    is_reserved |= names.str.extract(_CLIP_OF_MEDIUM, expand=False).isin(held_out.media_ids)
    is_trained_on = files["split"].isin(_TRAINED_ON).to_numpy()
    leaked = files[is_reserved.to_numpy(dtype=bool) & is_trained_on]
    if leaked.empty:
        return
    named = sorted(set(leaked["group"].fillna("media:" + leaked["media_id"])))
    more = ", ..." if len(named) > _MAX_NAMED else ""
    raise SplitLeakageError(
        f"{leaked['media_id'].nunique()} media in train and val of {corpus} belong to the "
        f"held-out set {held_out.name!r}: {', '.join(named[:_MAX_NAMED])}{more}",
        hint="A held-out set is never trained on: take these files out of the corpus, or train on "
        "another one.",
    )
