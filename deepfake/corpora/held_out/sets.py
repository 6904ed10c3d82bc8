"""Freeze, list and open held-out sets; each is a JSON file under the data root."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake.config import digest_of, first_problem
from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.errors import ConfigError, DataError
from deepfake.storage import DataRoot, Location, read_json, write_json
from deepfake.types import Label, Status

__all__ = [
    "HeldOutData",
    "HeldOutSet",
    "freeze_held_out_set",
    "list_held_out_sets",
    "open_held_out_set",
    "read_held_out_set",
]

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_Name = Annotated[str, Field(pattern=_NAME)]


class HeldOutSet(BaseModel):
    """The labelled files of one snapshot, under a name.

    Attributes:
        schema_version: Version of the file format.
        name: Its name.
        corpus: Name of the corpus.
        split: Whether the test split or the whole corpus was frozen.
        snapshot: Digest of the snapshot.
        created_at: ISO 8601, UTC.
        num_media: Media that were frozen; `media_ids` has fewer once some were forgotten.
        media_ids: SHA-256 of each medium, ascending.
        groups: Their split groups, ascending.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: _Name
    corpus: str
    split: Literal["test", "all"]
    snapshot: str = Field(pattern=r"^[0-9a-f]{16}$")
    created_at: str
    num_media: int = Field(ge=1)
    media_ids: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def digest(self) -> str:
        """16 hex digits over corpus, snapshot and media."""
        return digest_of(self.corpus, self.snapshot, *self.media_ids)


@dataclass(frozen=True, slots=True)
class HeldOutData:
    """The crops and files of a held-out set, which a detector is measured on.

    Attributes:
        snapshot: The snapshot that holds the crops.
        index: The crops, a row each.
        outcomes: The files, a row each.
        notes: Warnings for whoever reads the numbers, a sentence each.
    """

    snapshot: Snapshot
    index: pd.DataFrame
    outcomes: pd.DataFrame
    notes: tuple[str, ...] = ()


def freeze_held_out_set(
    root: DataRoot, name: str, *, snapshot: Snapshot, split: Literal["test", "all"] = "test"
) -> HeldOutSet:
    """Freeze the labelled files of a snapshot as a held-out set.

    Args:
        root: The data root.
        name: Name of the new set.
        snapshot: The snapshot of the corpus.
        split: Its test split, or all of it; a corpus that is frozen whole cannot be trained on.

    Raises:
        ConfigError: The name is taken or not allowed.
        DataError: The files lack one of the two classes.
    """
    path = _path(root, name)
    if path.is_file():
        raise ConfigError(
            f"there is a held-out set {name!r} already",
            hint="A held-out set never changes: give this one another name.",
        )
    files = _labelled(snapshot.outcomes(), split=split)
    labels = {str(label) for label in files["label"]}
    if labels != {str(label) for label in Label}:
        raise DataError(
            f"a held-out set needs reals and fakes, {snapshot.corpus} has "
            f"{sorted(labels) or 'none'} in {split!r}"
        )
    media_ids = tuple(sorted(set(files["media_id"])))
    try:
        held_out = HeldOutSet(
            name=name,
            corpus=snapshot.corpus,
            split=split,
            snapshot=snapshot.digest,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            num_media=len(media_ids),
            media_ids=media_ids,
            groups=tuple(sorted(set(files["group"].dropna()))),
        )
    except ValidationError as error:
        raise _wrong_name(name) from error
    write_json(path, held_out.model_dump(mode="json"))
    return held_out


def read_held_out_set(root: DataRoot, name: str) -> HeldOutSet:
    """Return the held-out set of a name.

    Raises:
        ConfigError: There is none of that name.
        DataError: The file is damaged, or of another schema version.
    """
    path = _path(root, name)
    if not path.is_file():
        known = ", ".join(s.name for s in list_held_out_sets(root)) or "none yet"
        raise ConfigError(
            f"no held-out set {name!r} (there are: {known})",
            hint="Freeze one with `deepfake held-out freeze NAME --dataset CORPUS`.",
        )
    return _read(path)


def list_held_out_sets(root: DataRoot) -> list[HeldOutSet]:
    """Return all held-out sets of a data root, by name.

    Raises:
        DataError: One is damaged, so that its media are not known.
    """
    names = sorted(path.name for path in root.held_out_sets.glob("*.json"))
    return [_read(root.held_out_sets / name) for name in names]


def open_held_out_set(root: DataRoot, held_out: HeldOutSet) -> HeldOutData:
    """Return the crops and files of a held-out set.

    Forgetting a medium deletes the snapshots that hold it. What is left of the set is then read
    from the newest snapshot, and a note says so.

    Raises:
        ShardError: There is no snapshot of the corpus any more.
        DataError: None of its media is left.
    """
    notes: list[str] = []
    try:
        snapshot = open_snapshot(root, held_out.corpus, digest=held_out.snapshot)
    except DataError:
        snapshot = open_snapshot(root, held_out.corpus)
        notes.append(f"its snapshot {held_out.snapshot} is gone, {snapshot.digest} was read")
    outcomes = _labelled(snapshot.outcomes(), split=held_out.split)
    outcomes = outcomes[outcomes["media_id"].isin(held_out.media_ids)].reset_index(drop=True)
    if outcomes.empty:
        raise DataError(f"nothing is left of the held-out set {held_out.name!r}")
    index = snapshot.index()
    index = index[index["media_id"].isin(set(outcomes["media_id"]))].reset_index(drop=True)
    left = outcomes["media_id"].nunique()
    if left < held_out.num_media:
        notes.append(f"{held_out.num_media - left} of its {held_out.num_media} media are gone")
    return HeldOutData(snapshot, index, outcomes, tuple(notes))


def _labelled(outcomes: pd.DataFrame, *, split: str) -> pd.DataFrame:
    is_usable = outcomes["label"].notna() & outcomes["media_id"].notna()
    is_usable &= ~outcomes["status"].isin([str(Status.MISSING), str(Status.ERROR)])
    if split != "all":
        is_usable &= outcomes["split"] == split
    return outcomes[is_usable]


def _path(root: DataRoot, name: str) -> Location:
    if "/" in name:
        raise _wrong_name(name)
    return root.held_out_sets / f"{name}.json"


def _wrong_name(name: str) -> ConfigError:
    return ConfigError(
        f"{name!r} cannot name a held-out set: allowed are letters, digits, and . _ -"
    )


def _read(path: Location) -> HeldOutSet:
    try:
        return HeldOutSet.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(
            f"not a held-out set of this version ({first_problem(error)})", path=path
        ) from error
