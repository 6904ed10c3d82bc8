"""What a benchmark is, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake.config import digest_of
from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.errors import ConfigError, DataError
from deepfake.storage import DataRoot, Location, read_json, write_json
from deepfake.types import Label, Status

__all__ = [
    "Benchmark",
    "BenchmarkPart",
    "freeze_benchmark",
    "list_benchmarks",
    "open_part",
    "read_benchmark",
]

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_Name = Annotated[str, Field(pattern=_NAME)]


class Benchmark(BaseModel):
    """Labelled files of one snapshot under a name.

    Attributes:
        schema_version: Of the file that holds it.
        name: Its name.
        corpus: Of which corpus.
        split: Which part of it was frozen.
        snapshot: Digest of the snapshot.
        created_at: ISO 8601, UTC.
        num_media: Media that were frozen; `media_ids` has fewer once some were forgotten.
        media_ids: Contents, ascending.
        groups: Whoever and whatever they show, ascending.
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
        """16 hex digits over what is measured."""
        return digest_of(self.corpus, self.snapshot, *self.media_ids)


@dataclass(frozen=True, slots=True)
class BenchmarkPart:
    """What a detector is measured on.

    Attributes:
        snapshot: Whose crops they are.
        index: The crops.
        outcomes: The files.
        notes: What a reader of the numbers must know, a sentence each.
    """

    snapshot: Snapshot
    index: pd.DataFrame
    outcomes: pd.DataFrame
    notes: tuple[str, ...] = ()


def freeze_benchmark(
    root: DataRoot, name: str, *, snapshot: Snapshot, split: Literal["test", "all"] = "test"
) -> Benchmark:
    """Give the labelled files of a snapshot a name under which they decide on detectors.

    Args:
        root: The data root.
        name: Not that of another benchmark.
        snapshot: Of the corpus.
        split: Its test part, or all of it; a corpus that is frozen whole cannot be trained on.

    Raises:
        ConfigError: The name is taken or is none.
        DataError: The part lacks a class.
    """
    path = _path(root, name)
    if path.is_file():
        raise ConfigError(
            f"the benchmark {name!r} is frozen already",
            hint="A benchmark never changes: give this one another name.",
        )
    files = _labelled(snapshot.outcomes(), split=split)
    found = {str(label) for label in files["label"]}
    if found != {str(label) for label in Label}:
        raise DataError(
            f"a benchmark needs reals and fakes, {snapshot.corpus} has {sorted(found) or 'none'} "
            f"in {split!r}"
        )
    media_ids = tuple(sorted(set(files["media_id"])))
    try:
        benchmark = Benchmark(
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
        raise ConfigError(f"{name!r} is no name for a benchmark: letters, digits, . _ -") from error
    write_json(path, benchmark.model_dump(mode="json"))
    return benchmark


def read_benchmark(root: DataRoot, name: str) -> Benchmark:
    """Return the benchmark of a name.

    Raises:
        ConfigError: There is none.
        DataError: The file is damaged, or of another schema version.
    """
    path = _path(root, name)
    if not path.is_file():
        known = ", ".join(b.name for b in list_benchmarks(root)) or "none yet"
        raise ConfigError(
            f"no benchmark {name!r} (there are: {known})",
            hint="Freeze one with `deepfake benchmark freeze NAME --dataset CORPUS`.",
        )
    return _read(path)


def list_benchmarks(root: DataRoot) -> list[Benchmark]:
    """Return all benchmarks of a data root, by name.

    Raises:
        DataError: One is damaged, so that what it reserves cannot be told.
    """
    names = sorted(path.name for path in root.benchmarks.glob("*.json"))
    return [_read(root.benchmarks / name) for name in names]


def open_part(root: DataRoot, benchmark: Benchmark) -> BenchmarkPart:
    """Return the crops and files of a benchmark.

    Where media were forgotten, their snapshot went with them: what is left of the benchmark is
    read from the newest snapshot, and a note says so.

    Raises:
        ShardError: There is no snapshot of the corpus any more.
        DataError: None of its media is left.
    """
    notes: list[str] = []
    try:
        snapshot = open_snapshot(root, benchmark.corpus, digest=benchmark.snapshot)
    except DataError:
        snapshot = open_snapshot(root, benchmark.corpus)
        notes.append(f"its snapshot {benchmark.snapshot} is gone, {snapshot.digest} was read")
    outcomes = _labelled(snapshot.outcomes(), split=benchmark.split)
    outcomes = outcomes[outcomes["media_id"].isin(benchmark.media_ids)].reset_index(drop=True)
    if outcomes.empty:
        raise DataError(f"nothing is left of the benchmark {benchmark.name!r}")
    index = snapshot.index()
    index = index[index["media_id"].isin(set(outcomes["media_id"]))].reset_index(drop=True)
    left = outcomes["media_id"].nunique()
    if left < benchmark.num_media:
        notes.append(f"{benchmark.num_media - left} of its {benchmark.num_media} media are gone")
    return BenchmarkPart(snapshot, index, outcomes, tuple(notes))


def _labelled(outcomes: pd.DataFrame, *, split: str) -> pd.DataFrame:
    is_usable = outcomes["label"].notna() & outcomes["media_id"].notna()
    is_usable &= ~outcomes["status"].isin([str(Status.MISSING), str(Status.ERROR)])
    if split != "all":
        is_usable &= outcomes["split"] == split
    return outcomes[is_usable]


def _path(root: DataRoot, name: str) -> Location:
    if "/" in name:
        raise ConfigError(f"{name!r} is no name for a benchmark: letters, digits, . _ -")
    return root.benchmarks / f"{name}.json"


def _read(path: Location) -> Benchmark:
    try:
        return Benchmark.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"not a benchmark of this version ({where}: {first['msg']})", path=path
        ) from error
