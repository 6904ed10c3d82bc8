"""Read and write the split assignments of a corpus, stored from run to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deepfake.errors import DataError
from deepfake.storage import Location, read_json, write_json
from deepfake.types import Split

__all__ = ["Assignments", "StrategyName", "read_assignments", "write_assignments"]

StrategyName = Literal["official", "grouped"]

_STRATEGIES: dict[str, StrategyName] = {"official": "official", "grouped": "grouped"}
_SCHEMA = {"schema": "deepfake.assignments", "schema_version": 1}


@dataclass(frozen=True, slots=True)
class Assignments:
    """The stored split assignments of one corpus.

    Attributes:
        strategy: Strategy that made them.
        splits: The split of each group.
        members: The group of each member key, such as `identity:id0` or `media:<sha256>`.
    """

    strategy: StrategyName
    splits: Mapping[str, Split] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    def split_of(self, key: str) -> Split | None:
        """Return the split of a member key, None if the key is new."""
        return self.splits[self.members[key]] if key in self.members else None


def read_assignments(path: Location) -> Assignments:
    """Read stored assignments.

    Raises:
        DataError: The file is missing, damaged, or of another schema version.
    """
    value = read_json(path)
    if not isinstance(value, dict) or {k: value.get(k) for k in _SCHEMA} != _SCHEMA:
        raise DataError("not assignments of this schema version", path=path)
    try:
        splits = {str(name): Split(split) for name, split in value["splits"].items()}
        members = {str(key): str(group) for key, group in value["members"].items()}
        strategy = _STRATEGIES[value["strategy"]]
    except (KeyError, ValueError, AttributeError) as error:
        raise DataError(f"damaged assignments ({error})", path=path) from error
    if not set(members.values()) <= set(splits):
        raise DataError("damaged assignments (a group without a split)", path=path)
    return Assignments(strategy, splits, members)


def write_assignments(path: Location, assignments: Assignments) -> Location:
    """Write assignments as JSON, atomically."""
    splits = {name: str(split) for name, split in assignments.splits.items()}
    value = {"strategy": assignments.strategy, "splits": splits, "members": assignments.members}
    return write_json(path, {**_SCHEMA, **value})
